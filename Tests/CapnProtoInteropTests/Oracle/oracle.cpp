// The other side of the interoperability tests: libcapnp writes and checks the messages that Swift reads and writes.
//
//   oracle write WHAT [tiny] [packed] [canonical]   writes a message to standard output; `tiny` makes segments of a few
//                                                   words
//   oracle check WHAT [packed] [canonical]          reads a message from standard input and checks every value; prints
//                                                   what differs
#include "everything.h"

namespace {

// MARK: Defaults

// Nothing is set: every field reads as its default.
void writeDefaults(capnp::MessageBuilder& message) { message.initRoot<interop::Defaults>(); }

void checkDefaults(capnp::MessageReader& message) {
  auto root = message.getRoot<interop::Defaults>();
  EXPECT(!root.hasText() && !root.hasData() && !root.hasNested() && !root.hasNumbers());
  EXPECT(root.getBool() && root.getInt8() == -123 && root.getUInt64() == 12345678901234567890ull);
  EXPECT(root.getText() == "foo \"bar\"\n\xc3\xa9");
}

// Every field is set to something else than its default, zero where possible.
void writeOverridden(capnp::MessageBuilder& message) {
  auto root = message.initRoot<interop::Defaults>();
  root.setBool(false);
  root.setInt8(0);
  root.setInt16(1);
  root.setInt32(0);
  root.setInt64(-1);
  root.setUInt8(0);
  root.setUInt16(0);
  root.setUInt32(7);
  root.setUInt64(0);
  root.setFloat32(0);
  root.setFloat64(3.5);
  root.setText("");
  root.setData(data2);
  root.setColor(interop::Color::RED);
  root.initNested().setValue(9);
  fill(root.initNumbers(1), 4);
  root.initTexts(0);
  root.initStructs(1)[0].setName("only");
  fill(root.initBools(2), false, true);
  root.initLists(0);
  root.setInfinite(1);
  root.setNotANumber(2);
  root.getGroup().setNumber(0);
  root.getGroup().setWord("set");
}

void checkOverridden(capnp::MessageReader& message) {
  auto root = message.getRoot<interop::Defaults>();
  EXPECT(!root.getBool());
  EXPECT(root.getInt8() == 0);
  EXPECT(root.getInt16() == 1);
  EXPECT(root.getInt32() == 0);
  EXPECT(root.getInt64() == -1);
  EXPECT(root.getUInt8() == 0);
  EXPECT(root.getUInt16() == 0);
  EXPECT(root.getUInt32() == 7);
  EXPECT(root.getUInt64() == 0);
  EXPECT(root.getFloat32() == 0);
  EXPECT(root.getFloat64() == 3.5);
  EXPECT(root.hasText() && root.getText() == "");
  EXPECT(root.getData() == data2);
  EXPECT(root.getColor() == interop::Color::RED);
  EXPECT(root.getNested().getValue() == 9 && !root.getNested().hasName());
  checkList(root.getNumbers(), 4);
  EXPECT(root.hasTexts() && root.getTexts().size() == 0);
  EXPECT(root.getStructs().size() == 1 && root.getStructs()[0].getName() == "only");
  checkList(root.getBools(), false, true);
  EXPECT(root.hasLists() && root.getLists().size() == 0);
  EXPECT(root.getInfinite() == 1);
  EXPECT(root.getNotANumber() == 2);
  EXPECT(root.getGroup().getNumber() == 0);
  EXPECT(root.getGroup().getWord() == "set");
}

// What libcapnp makes of the defaults of pointers when they are asked for while building: copies, of which some are changed.
void writeCopiedDefaults(capnp::MessageBuilder& message) {
  auto root = message.initRoot<interop::Defaults>();
  root.getNested().setValue(10);
  root.getNumbers().set(1, 5);
  root.getStructs()[1].setName("changed");
}

void checkCopiedDefaults(capnp::MessageReader& message) {
  auto root = message.getRoot<interop::Defaults>();
  EXPECT(root.hasNested() && root.getNested().getValue() == 10 && root.getNested().getName() == "default");
  EXPECT(root.getNested().getChild().getName() == "inner");
  checkList(root.getNumbers(), 11, 5, 33);
  EXPECT(root.getStructs()[0].getName() == "first" && root.getStructs()[1].getName() == "changed");
}

// MARK: Unions

template <typename Set>
void writeUnion(capnp::MessageBuilder& message, Set set) {
  auto root = message.initRoot<interop::Unions>();
  root.setBefore(-1);
  set(root);
}

void writeUnions(capnp::MessageBuilder& message, const std::string& member) {
  writeUnion(message, [&](interop::Unions::Builder root) {
    if (member == "nothing") root.setNothing();
    if (member == "number") root.setNumber(-70);
    if (member == "flag") root.setFlag(true);
    if (member == "color") root.setColor(interop::Color::BLUE);
    if (member == "text") root.setText("in a union");
    if (member == "data") root.setData(data1);
    if (member == "nested") writeNested(root.initNested(), "member", 3);
    if (member == "numbers") fill(root.initNumbers(2), 8, 9);
    if (member == "anything") root.initAnything().setAs<capnp::Text>("xyz");
    if (member == "pair") {
      auto pair = root.initPair();
      pair.setLeft(12);
      pair.setRight("right");
    }
    if (member == "pair") root.getNamed().setLarge(1ull << 60);
    if (member == "text") root.getNamed().setName("named");
    if (member == "data") root.getNamed().setNone();
    root.getGroup().setId(77);
    if (member == "pair") {
      auto two = root.getGroup().getInner().initTwo();
      two.setA(true);
      fill(two.initB(2), "b0", "b1");
    } else {
      root.getGroup().getInner().setOne(0.75f);
    }
  });
}

void checkUnions(capnp::MessageReader& message, const std::string& member) {
  auto root = message.getRoot<interop::Unions>();
  EXPECT(root.getBefore() == -1);
  if (member == "nothing") EXPECT(root.isNothing());
  if (member == "number") EXPECT(root.isNumber() && root.getNumber() == -70);
  if (member == "flag") EXPECT(root.isFlag() && root.getFlag());
  if (member == "color") EXPECT(root.isColor() && root.getColor() == interop::Color::BLUE);
  if (member == "text") EXPECT(root.isText() && root.getText() == "in a union");
  if (member == "data") EXPECT(root.isData() && root.getData() == data1);
  if (member == "nested") checkNested(root.getNested(), "member", 3);
  if (member == "numbers") checkList(root.getNumbers(), 8, 9);
  if (member == "anything") EXPECT(root.getAnything().getAs<capnp::Text>() == "xyz");
  if (member == "pair") EXPECT(root.getPair().getLeft() == 12 && root.getPair().getRight() == "right");
  if (member == "pair") EXPECT(root.getNamed().isLarge() && root.getNamed().getLarge() == 1ull << 60);
  if (member == "text") EXPECT(root.getNamed().isName() && root.getNamed().getName() == "named");
  if (member == "data") EXPECT(root.getNamed().isNone());
  EXPECT(root.getGroup().getId() == 77);
  auto inner = root.getGroup().getInner();
  if (member == "pair") {
    EXPECT(inner.isTwo() && inner.getTwo().getA());
    checkList(inner.getTwo().getB(), "b0", "b1");
  } else {
    EXPECT(inner.isOne() && inner.getOne() == 0.75f);
  }
}

// MARK: Trees of many segments

void writeTree(interop::Tree::Builder tree, int depth, const std::string& label) {
  tree.setLabel(label);
  auto bytes = payload(17 * depth + 1);
  tree.setPayload(bytes);
  if (depth == 0) return;
  auto children = tree.initChildren(2);
  writeTree(children[0], depth - 1, label + "0");
  writeTree(children[1], depth - 1, label + "1");
  writeTree(tree.initLeft(), depth - 1, label + "L");
}

void checkTree(interop::Tree::Reader tree, int depth, const std::string& label) {
  EXPECT(std::string(tree.getLabel().cStr()) == label, label.c_str());
  auto bytes = payload(17 * depth + 1);
  EXPECT(tree.getPayload() == bytes, label.c_str());
  if (depth == 0) {
    EXPECT(!tree.hasChildren() && !tree.hasLeft());
    return;
  }
  EXPECT(tree.getChildren().size() == 2);
  checkTree(tree.getChildren()[0], depth - 1, label + "0");
  checkTree(tree.getChildren()[1], depth - 1, label + "1");
  checkTree(tree.getLeft(), depth - 1, label + "L");
}

// MARK: Versions

void writeNew(capnp::MessageBuilder& message) {
  auto root = message.initRoot<interop::New::Record>();
  root.setId(5);
  root.setName("name");
  root.setState(interop::New::State::PAUSED);
  root.setAdded(50);
  root.setNote("note");
  auto entries = root.initEntries(2);
  entries[0].setKey("k0");
  entries[0].setWeight(1.5);
  entries[1].setKey("k1");
  entries[1].setWeight(2.5);
  root.getChoice().setLater("later");
  fill(root.initTags(2), interop::New::State::STOPPED, interop::New::State::PAUSED);
  auto numbers = root.initNumbers(2);
  numbers[0].setValue(100);
  numbers[0].setUnit("kg");
  numbers[1].setValue(200);
}

void writeOld(capnp::MessageBuilder& message) {
  auto root = message.initRoot<interop::Old::Record>();
  root.setId(6);
  root.setName("old name");
  root.setState(interop::Old::State::RUNNING);
  root.initEntries(1)[0].setKey("old key");
  root.getChoice().setNumber(3);
  fill(root.initTags(1), interop::Old::State::STOPPED);
  fill(root.initNumbers(2), 1, 2);
}

void checkNew(capnp::MessageReader& message) {
  auto root = message.getRoot<interop::New::Record>();
  EXPECT(root.getId() == 5 && root.getName() == "name" && root.getState() == interop::New::State::PAUSED);
  EXPECT(root.getAdded() == 50 && root.getNote() == "note");
  EXPECT(root.getEntries()[1].getKey() == "k1" && root.getEntries()[1].getWeight() == 2.5);
  EXPECT(root.getChoice().isLater() && root.getChoice().getLater() == "later");
  EXPECT(root.getNumbers()[0].getValue() == 100 && root.getNumbers()[0].getUnit() == "kg");
}

// What the older schema sees of a message of the newer one, and the other way round.
void checkOldReadsNew(capnp::MessageReader& message) {
  auto root = message.getRoot<interop::Old::Record>();
  EXPECT(root.getId() == 5 && root.getName() == "name");
  EXPECT(static_cast<uint16_t>(root.getState()) == 2);
  EXPECT(root.getEntries()[0].getKey() == "k0" && root.getEntries()[1].getKey() == "k1");
  EXPECT(static_cast<uint16_t>(root.getChoice().which()) == 2);
  checkList(root.getNumbers(), 100, 200);
}

void checkNewReadsOld(capnp::MessageReader& message) {
  auto root = message.getRoot<interop::New::Record>();
  EXPECT(root.getId() == 6 && root.getName() == "old name" && root.getState() == interop::New::State::RUNNING);
  EXPECT(root.getAdded() == 10 && root.getNote() == "none");
  EXPECT(root.getEntries()[0].getKey() == "old key" && root.getEntries()[0].getWeight() == 1);
  EXPECT(root.getChoice().isNumber() && root.getChoice().getNumber() == 3);
  EXPECT(root.getNumbers().size() == 2 && root.getNumbers()[1].getValue() == 2 && !root.getNumbers()[1].hasUnit());
}

// MARK: Capabilities and pointers of any type

void writeAnything(capnp::MessageBuilder& message) {
  auto root = message.initRoot<interop::Anything>();
  writeNested(root.getAny().initAs<interop::Everything::Nested>(), "any", 1);
  writeNested(root.initAnyStructAs<interop::Everything::Nested>(), "any struct", 2);
  fill(root.initAnyListAs<capnp::List<int32_t>>(2), 31, 32);
}

void checkAnything(capnp::MessageReader& message) {
  auto root = message.getRoot<interop::Anything>();
  checkNested(root.getAny().getAs<interop::Everything::Nested>(), "any", 1);
  checkNested(root.getAnyStruct().as<interop::Everything::Nested>(), "any struct", 2);
  checkList(root.getAnyList().as<capnp::List<int32_t>>(), 31, 32);
}

void write(capnp::MessageBuilder& message, const std::string& what) {
  if (what == "everything") writeEverything(message);
  else if (what == "defaults") writeDefaults(message);
  else if (what == "overridden") writeOverridden(message);
  else if (what == "copiedDefaults") writeCopiedDefaults(message);
  else if (what == "tree") writeTree(message.initRoot<interop::Tree>(), 3, "t");
  else if (what == "new") writeNew(message);
  else if (what == "old") writeOld(message);
  else if (what == "anything") writeAnything(message);
  else if (what.compare(0, 7, "unions.") == 0) writeUnions(message, what.substr(7));
  else KJ_FAIL_REQUIRE("nothing to write is called so", what.c_str());
}

void check(capnp::MessageReader& message, const std::string& what) {
  if (what == "everything") checkEverything(message);
  else if (what == "defaults") checkDefaults(message);
  else if (what == "overridden") checkOverridden(message);
  else if (what == "copiedDefaults") checkCopiedDefaults(message);
  else if (what == "tree") checkTree(message.getRoot<interop::Tree>(), 3, "t");
  else if (what == "new") checkNew(message);
  else if (what == "oldReadsNew") checkOldReadsNew(message);
  else if (what == "newReadsOld") checkNewReadsOld(message);
  else if (what == "anything") checkAnything(message);
  else if (what.compare(0, 7, "unions.") == 0) checkUnions(message, what.substr(7));
  else KJ_FAIL_REQUIRE("nothing to check is called so", what.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  KJ_REQUIRE(argc >= 3, "usage: oracle write|check WHAT [tiny] [packed] [canonical]");
  const std::string verb = argv[1], what = argv[2];
  const auto has = [&](const char* option) {
    for (int i = 3; i < argc; ++i) {
      if (std::string(argv[i]) == option) return true;
    }
    return false;
  };
  const bool packed = has("packed"), canonical = has("canonical");
  if (verb == "write") {
    const bool tiny = has("tiny");
    capnp::MallocMessageBuilder message(
        tiny ? 4 : capnp::SUGGESTED_FIRST_SEGMENT_WORDS,
        tiny ? capnp::AllocationStrategy::FIXED_SIZE : capnp::SUGGESTED_ALLOCATION_STRATEGY);
    write(message, what);
    kj::Array<capnp::word> words;
    kj::ArrayPtr<const capnp::word> single;
    auto segments = message.getSegmentsForOutput();
    if (canonical) {
      words = message.getRoot<capnp::AnyStruct>().asReader().canonicalize();
      single = words;
      segments = kj::arrayPtr(&single, 1);
    }
    if (packed) {
      capnp::writePackedMessageToFd(1, segments);
    } else {
      capnp::writeMessageToFd(1, segments);
    }
  } else if (packed) {
    capnp::PackedFdMessageReader message(0);
    if (canonical) EXPECT(message.isCanonical());
    check(message, what);
  } else {
    capnp::StreamFdMessageReader message(0);
    if (canonical) EXPECT(message.isCanonical());
    check(message, what);
  }
  return 0;
}
