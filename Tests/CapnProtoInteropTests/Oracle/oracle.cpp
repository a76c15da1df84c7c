// The other side of the interoperability tests: libcapnp writes and checks the messages that Swift reads and writes.
//
//   oracle write WHAT [tiny] [packed] [canonical]   writes a message to standard output; `tiny` makes segments of a few
//                                                   words
//   oracle check WHAT [packed] [canonical]          reads a message from standard input and checks every value; prints
//                                                   what differs
#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/serialize-packed.h>
#include <capnp/serialize.h>
#include <kj/debug.h>
#include <kj/io.h>

#include <cmath>
#include <iostream>
#include <string>

#include "evolution-new.capnp.h"
#include "evolution-old.capnp.h"
#include "everything.capnp.h"

namespace {

// Ends the program with the condition and its place, and with further values.
#define EXPECT(...) KJ_REQUIRE(__VA_ARGS__)

// The bytes of a payload that is larger than any tiny segment.
kj::Array<kj::byte> payload(size_t size) {
  auto bytes = kj::heapArray<kj::byte>(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<kj::byte>(i * 7 + 3);
  return bytes;
}

// MARK: Everything

void writeNested(interop::Everything::Nested::Builder nested, const char* name, int32_t value) {
  nested.setName(name);
  nested.setValue(value);
  nested.setMood(interop::Everything::Nested::Mood::WILD);
}

void checkNested(interop::Everything::Nested::Reader nested, const char* name, int32_t value) {
  EXPECT(nested.getName() == name);
  EXPECT(nested.getValue() == value);
  EXPECT(nested.getMood() == interop::Everything::Nested::Mood::WILD);
}

template <typename List, typename... Values>
void fill(List list, Values... values) {
  unsigned index = 0;
  (list.set(index++, values), ...);
}

template <typename List, typename... Values>
void checkList(List list, Values... values) {
  EXPECT(list.size() == sizeof...(values));
  unsigned index = 0;
  ([&] { EXPECT(list[index] == values, index); ++index; }(), ...);
}

const kj::byte bytes1[] = {1, 2, 3};
const kj::byte bytes2[] = {0xff, 0};
const capnp::Data::Reader data1(bytes1, 3);
const capnp::Data::Reader data2(bytes2, 2);

void writeEverything(capnp::MessageBuilder& message) {
  auto root = message.initRoot<interop::Everything>();
  root.setBool(true);
  root.setInt8(-128);
  root.setInt16(-32768);
  root.setInt32(-2147483647 - 1);
  root.setInt64(-9223372036854775807LL - 1);
  root.setUInt8(255);
  root.setUInt16(65535);
  root.setUInt32(4294967295u);
  root.setUInt64(18446744073709551615ull);
  root.setFloat32(1.5f);
  root.setFloat64(-2.25);
  root.setText("text with \xc3\xa9 and \xf0\x9f\x98\x80");
  root.setData(data1);
  root.setColor(interop::Color::GREEN);
  writeNested(root.initNested(), "nested", -5);
  writeNested(root.getNested().initChild(), "child", 6);
  root.initImported().setX(-3);
  root.getImported().setY(4);
  root.setKind(interop::imported::Kind::ONE);
  root.initVoids(3);
  fill(root.initBools(10), true, false, true, true, false, false, true, false, true, true);
  fill(root.initInt8s(3), -128, 0, 127);
  fill(root.initInt16s(2), -32768, 32767);
  fill(root.initInt32s(2), -2147483647 - 1, 2147483647);
  fill(root.initInt64s(2), -9223372036854775807LL - 1, 9223372036854775807LL);
  fill(root.initUInt8s(2), 0, 255);
  fill(root.initUInt16s(2), 0, 65535);
  fill(root.initUInt32s(2), 0u, 4294967295u);
  fill(root.initUInt64s(2), 0ull, 18446744073709551615ull);
  fill(root.initFloat32s(3), 0.5f, -1e10f, 3.4028235e38f);
  fill(root.initFloat64s(2), 1e300, -0.125);
  fill(root.initTexts(3), "one", "", "three");
  fill(root.initDatas(2), data1, data2);
  fill(root.initColors(3), interop::Color::BLUE, interop::Color::RED, interop::Color::GREEN);
  auto structs = root.initStructs(2);
  writeNested(structs[0], "first", 1);
  writeNested(structs[1], "second", 2);
  auto points = root.initPoints(2);
  points[0].setX(1);
  points[1].setY(-1);
  auto numberLists = root.initNumberLists(3);
  fill(numberLists.init(0, 2), 1, 2);
  numberLists.init(1, 0);
  fill(numberLists.init(2, 1), -3);
  auto textLists = root.initTextLists(2);
  fill(textLists.init(0, 1), "a");
  fill(textLists.init(1, 2), "b", "c");
  auto dataLists = root.initDataLists(1);
  fill(dataLists.init(0, 2), data2, data1);
  auto colorLists = root.initColorLists(2);
  fill(colorLists.init(0, 1), interop::Color::BLUE);
  fill(colorLists.init(1, 2), interop::Color::GREEN, interop::Color::RED);
  auto structLists = root.initStructLists(2);
  writeNested(structLists.init(0, 1)[0], "in a list", 11);
  writeNested(structLists.init(1, 2)[1], "in another", 22);
  auto boolLists = root.initBoolLists(1);
  auto inner = boolLists.init(0, 2);
  fill(inner.init(0, 2), true, false);
  fill(inner.init(1, 1), true);
}

void checkEverything(capnp::MessageReader& message) {
  auto root = message.getRoot<interop::Everything>();
  EXPECT(root.getBool());
  EXPECT(root.getInt8() == -128);
  EXPECT(root.getInt16() == -32768);
  EXPECT(root.getInt32() == -2147483647 - 1);
  EXPECT(root.getInt64() == -9223372036854775807LL - 1);
  EXPECT(root.getUInt8() == 255);
  EXPECT(root.getUInt16() == 65535);
  EXPECT(root.getUInt32() == 4294967295u);
  EXPECT(root.getUInt64() == 18446744073709551615ull);
  EXPECT(root.getFloat32() == 1.5f);
  EXPECT(root.getFloat64() == -2.25);
  EXPECT(root.getText() == "text with \xc3\xa9 and \xf0\x9f\x98\x80");
  EXPECT(root.getData() == data1);
  EXPECT(root.getColor() == interop::Color::GREEN);
  checkNested(root.getNested(), "nested", -5);
  checkNested(root.getNested().getChild(), "child", 6);
  EXPECT(!root.getNested().getChild().hasChild());
  EXPECT(root.getImported().getX() == -3);
  EXPECT(root.getImported().getY() == 4);
  EXPECT(root.getKind() == interop::imported::Kind::ONE);
  EXPECT(root.getVoids().size() == 3);
  checkList(root.getBools(), true, false, true, true, false, false, true, false, true, true);
  checkList(root.getInt8s(), -128, 0, 127);
  checkList(root.getInt16s(), -32768, 32767);
  checkList(root.getInt32s(), -2147483647 - 1, 2147483647);
  checkList(root.getInt64s(), -9223372036854775807LL - 1, 9223372036854775807LL);
  checkList(root.getUInt8s(), 0, 255);
  checkList(root.getUInt16s(), 0, 65535);
  checkList(root.getUInt32s(), 0u, 4294967295u);
  checkList(root.getUInt64s(), 0ull, 18446744073709551615ull);
  checkList(root.getFloat32s(), 0.5f, -1e10f, 3.4028235e38f);
  checkList(root.getFloat64s(), 1e300, -0.125);
  checkList(root.getTexts(), "one", "", "three");
  checkList(root.getDatas(), data1, data2);
  checkList(root.getColors(), interop::Color::BLUE, interop::Color::RED, interop::Color::GREEN);
  EXPECT(root.getStructs().size() == 2);
  checkNested(root.getStructs()[0], "first", 1);
  checkNested(root.getStructs()[1], "second", 2);
  EXPECT(root.getPoints().size() == 2);
  EXPECT(root.getPoints()[0].getX() == 1 && root.getPoints()[0].getY() == 0);
  EXPECT(root.getPoints()[1].getX() == 0 && root.getPoints()[1].getY() == -1);
  EXPECT(root.getNumberLists().size() == 3);
  checkList(root.getNumberLists()[0], 1, 2);
  EXPECT(root.getNumberLists()[1].size() == 0);
  checkList(root.getNumberLists()[2], -3);
  EXPECT(root.getTextLists().size() == 2);
  checkList(root.getTextLists()[0], "a");
  checkList(root.getTextLists()[1], "b", "c");
  EXPECT(root.getDataLists().size() == 1);
  checkList(root.getDataLists()[0], data2, data1);
  EXPECT(root.getColorLists().size() == 2);
  checkList(root.getColorLists()[0], interop::Color::BLUE);
  checkList(root.getColorLists()[1], interop::Color::GREEN, interop::Color::RED);
  EXPECT(root.getStructLists().size() == 2);
  checkNested(root.getStructLists()[0][0], "in a list", 11);
  EXPECT(!root.getStructLists()[1][0].hasName());
  checkNested(root.getStructLists()[1][1], "in another", 22);
  EXPECT(root.getBoolLists().size() == 1);
  checkList(root.getBoolLists()[0][0], true, false);
  checkList(root.getBoolLists()[0][1], true);
}

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
