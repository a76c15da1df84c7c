// The message with a field of every type, for the oracle.
#pragma once

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

}  // namespace
