// The loads against libcapnp. Load by load the same work as in Swift, with the same numbers.
#include <capnp/message.h>
#include <capnp/serialize-packed.h>
#include <capnp/serialize.h>

#include <cstring>
#include <utility>
#include <vector>

#include "loads.capnp.h"

namespace {

struct Random {
  uint32_t state;
  explicit Random(uint32_t seed) : state(seed | 1) {}
  uint32_t next() {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
  }
  uint32_t below(uint32_t limit) { return next() % limit; }
};

const char *const makers[] = {"Alder", "Birch & Sons", "Cedar", "Doverwood Motors", "Elm"};
const char *const models[] = {"Sprint", "Family Wagon", "Nine", "Longhaul 40", "Bee"};
const char *const words[] = {"tree ", "lake ", "stone ", "river ", "cloud ", "moss ", "fern ", "owl "};

struct Cars {
  typedef ParkingLot Root;
  static void build(ParkingLot::Builder lot, Random &random) {
    auto cars = lot.initCars(100 + random.below(100));
    for (auto car : cars) {
      car.setMaker(makers[random.below(5)]);
      car.setModel(models[random.below(5)]);
      car.setColor(static_cast<Color>(random.below(6)));
      car.setSeats(2 + random.below(6));
      car.setDoors(2 + random.below(3));
      for (auto wheel : car.initWheels(4)) {
        wheel.setDiameter(25 + random.below(15));
        wheel.setPressure(30 + random.below(20));
        wheel.setIsStuddless(random.below(2) == 0);
      }
      car.setLength(170 + random.below(150));
      car.setWidth(48 + random.below(36));
      car.setHeight(54 + random.below(48));
      car.setWeight(1200 + random.below(2000));
      auto engine = car.initEngine();
      engine.setHorsepower(100 + random.below(300));
      engine.setCylinders(4 + random.below(8));
      engine.setCubicCentimeters(800 + random.below(5000));
      engine.setIsElectric(random.below(2) == 0);
      engine.setIsTurbo(random.below(2) == 0);
      car.setTankLitres(30 + random.below(60));
      car.setFuelLitres(random.below(30));
      car.setHasPowerWindows(random.below(2) == 0);
      car.setHasCruiseControl(random.below(2) == 0);
      car.setHasNavigation(random.below(2) == 0);
      car.setCupHolders(random.below(12));
    }
  }
  static uint64_t price(Car::Reader car) {
    uint64_t price = car.getSeats() * 200 + car.getDoors() * 350;
    for (auto wheel : car.getWheels()) {
      price += uint64_t(wheel.getDiameter()) * wheel.getDiameter();
      price += wheel.getIsStuddless() ? 100 : 0;
    }
    price += uint64_t(car.getLength()) * car.getWidth() * car.getHeight() / 50;
    auto engine = car.getEngine();
    price += engine.getHorsepower() * 40;
    price += engine.getIsElectric() ? 15000 : engine.getCubicCentimeters();
    price += engine.getIsTurbo() ? 2000 : 0;
    price += (car.getHasPowerWindows() ? 500 : 0) + (car.getHasCruiseControl() ? 300 : 0) + (car.getHasNavigation() ? 900 : 0);
    return price + car.getCupHolders() * 25 + car.getMaker().size() + car.getModel().size();
  }
  static uint64_t read(ParkingLot::Reader lot) {
    uint64_t total = 0;
    for (auto car : lot.getCars()) total += price(car);
    return total;
  }
};

struct Hits {
  typedef HitList Root;
  static void build(HitList::Builder list, Random &random) {
    auto hits = list.initHits(150 + random.below(150));
    double score = 1000;
    char text[400];
    for (auto hit : hits) {
      score -= 1 + random.below(3);
      hit.setScore(score);
      size_t length = 0;
      const char *start = "http://example.org/";
      memcpy(text, start, 19);
      length = 19;
      for (uint32_t count = random.below(60); count > 0; count--) text[length++] = 'a' + random.below(26);
      text[length] = 0;
      hit.setUrl(capnp::Text::Reader(text, length));
      bool hasCat = random.below(8) == 0, hasDog = random.below(8) == 0;
      length = 0;
      auto add = [&](const char *word) {
        size_t size = strlen(word);
        memcpy(text + length, word, size);
        length += size;
      };
      text[length++] = ' ';
      for (uint32_t count = random.below(20); count > 0; count--) add(words[random.below(8)]);
      if (hasCat) add("cat ");
      if (hasDog) add("dog ");
      for (uint32_t count = random.below(20); count > 0; count--) add(words[random.below(8)]);
      text[length] = 0;
      hit.setSnippet(capnp::Text::Reader(text, length));
    }
  }
  static bool contains(capnp::Text::Reader text, const char *word) {
    return strstr(text.cStr(), word) != nullptr;
  }
  static uint64_t read(HitList::Reader list) {
    double best = 0;
    uint64_t sum = 0;
    for (auto hit : list.getHits()) {
      double score = hit.getScore();
      auto snippet = hit.getSnippet();
      if (contains(snippet, " cat ")) score *= 10000;
      if (contains(snippet, " dog ")) score /= 10000;
      if (score > best) best = score;
      sum += hit.getUrl().size() + static_cast<uint64_t>(score);
    }
    return sum + static_cast<uint64_t>(best);
  }
};

struct Eval {
  typedef Expression Root;
  static void build(Expression::Builder expression, Random &random) { build(expression, random, 0); }
  static void build(Expression::Builder expression, Random &random, int depth) {
    expression.setOperation(static_cast<Operation>(random.below(5)));
    if (random.below(8) < uint32_t(depth)) {
      expression.getLeft().setValue(random.below(128) + 1);
    } else {
      build(expression.getLeft().initExpression(), random, depth + 1);
    }
    if (random.below(8) < uint32_t(depth)) {
      expression.getRight().setValue(random.below(128) + 1);
    } else {
      build(expression.getRight().initExpression(), random, depth + 1);
    }
  }
  static int32_t evaluate(Expression::Reader expression) {
    auto left = expression.getLeft();
    auto right = expression.getRight();
    uint32_t a = left.which() == Expression::Left::VALUE ? left.getValue() : evaluate(left.getExpression());
    uint32_t b = right.which() == Expression::Right::VALUE ? right.getValue() : evaluate(right.getExpression());
    switch (expression.getOperation()) {
      case Operation::ADD: return a + b;
      case Operation::SUBTRACT: return a - b;
      case Operation::MULTIPLY: return a * b;
      case Operation::DIVIDE: return b == 0 ? 7 : a / b;
      default: return b == 0 ? 9 : a % b;
    }
  }
  static uint64_t read(Expression::Reader expression) { return uint32_t(evaluate(expression)); }
};

capnp::ReaderOptions unlimited() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = ~uint64_t(0) >> 8;
  return options;
}

template <typename Load>
uint64_t run(int mode, uint32_t seed, int count) {
  uint64_t checksum = 0;
  Random random(seed);
  typedef typename Load::Root Root;
  if (mode == 1) {
    capnp::MallocMessageBuilder message;
    Load::build(message.initRoot<Root>(), random);
    auto bytes = capnp::messageToFlatArray(message);
    capnp::FlatArrayMessageReader reader(bytes, unlimited());
    for (int i = 0; i < count; i++) checksum = checksum * 31 + Load::read(reader.getRoot<Root>());
    return checksum;
  }
  for (int i = 0; i < count; i++) {
    capnp::MallocMessageBuilder message;
    Load::build(message.initRoot<Root>(), random);
    if (mode == 0) {
      checksum = checksum * 31 + Load::read(message.getRoot<Root>().asReader());
    } else if (mode == 2) {
      auto bytes = capnp::messageToFlatArray(message);
      capnp::FlatArrayMessageReader reader(bytes, unlimited());
      checksum = checksum * 31 + Load::read(reader.getRoot<Root>());
    } else {
      kj::VectorOutputStream output;
      capnp::writePackedMessage(output, message);
      kj::ArrayInputStream input(output.getArray());
      capnp::PackedMessageReader reader(input, unlimited());
      checksum = checksum * 31 + Load::read(reader.getRoot<Root>());
    }
  }
  return checksum;
}

}  // namespace

// Runs load `load` (0 cars, 1 hits, 2 expressions) `count` times in mode `mode` (0 objects, 1 reading, 2 bytes, 3 packed).
extern "C" uint64_t sluice_run_load(int load, int mode, uint32_t seed, int count) {
  switch (load) {
    case 0: return run<Cars>(mode, seed, count);
    case 1: return run<Hits>(mode, seed, count);
    default: return run<Eval>(mode, seed, count);
  }
}
