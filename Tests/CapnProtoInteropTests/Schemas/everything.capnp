@0xe5a3c1d7b9f20461;
# Every construct that generated code supports, for tests against the `capnp` tool and libcapnp.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("interop");

using Imported = import "imported/imported.capnp";

const answer :UInt32 = 42;
# A constant of a file.

enum Color {
  # What the doc comment of an enum becomes.
  red @0;
  # The doc comment of an enumerant.
  green @1;
  blue @2;
}

struct Everything {
  # A field of every type.

  void @0 :Void;
  bool @1 :Bool;
  int8 @2 :Int8;
  int16 @3 :Int16;
  int32 @4 :Int32;
  int64 @5 :Int64;
  uInt8 @6 :UInt8;
  uInt16 @7 :UInt16;
  uInt32 @8 :UInt32;
  uInt64 @9 :UInt64;
  float32 @10 :Float32;
  float64 @11 :Float64;
  text @12 :Text;
  data @13 :Data;
  color @14 :Color;
  # The doc comment of a field.
  #
  # With a second paragraph.
  nested @15 :Nested;
  imported @16 :Imported.Point;
  kind @17 :Imported.Kind;

  voids @18 :List(Void);
  bools @19 :List(Bool);
  int8s @20 :List(Int8);
  int16s @21 :List(Int16);
  int32s @22 :List(Int32);
  int64s @23 :List(Int64);
  uInt8s @24 :List(UInt8);
  uInt16s @25 :List(UInt16);
  uInt32s @26 :List(UInt32);
  uInt64s @27 :List(UInt64);
  float32s @28 :List(Float32);
  float64s @29 :List(Float64);
  texts @30 :List(Text);
  datas @31 :List(Data);
  colors @32 :List(Color);
  structs @33 :List(Nested);
  points @34 :List(Imported.Point);
  numberLists @35 :List(List(Int32));
  textLists @36 :List(List(Text));
  dataLists @37 :List(List(Data));
  colorLists @38 :List(List(Color));
  structLists @39 :List(List(Nested));
  boolLists @40 :List(List(List(Bool)));

  struct Nested {
    name @0 :Text;
    value @1 :Int32;
    child @2 :Nested;

    enum Mood { calm @0; wild @1; }
    mood @3 :Mood;

    const limit :Int16 = -7;
    const title :Text = "a \"quoted\"\ttitle";
    const ratio :Float64 = 0.25;
    const enabled :Bool = true;
    const favourite :Mood = wild;
    const magic :Data = 0x"00 ff 10";
    const huge :UInt64 = 0xffffffffffffffff;
  }
}

struct Anything {
  # Pointers of any type.
  any @0 :AnyPointer;
  anyStruct @1 :AnyStruct;
  anyList @2 :AnyList;
}

struct Defaults {
  # A default for every type that can have one.
  bool @0 :Bool = true;
  int8 @1 :Int8 = -123;
  int16 @2 :Int16 = -12345;
  int32 @3 :Int32 = -12345678;
  int64 @4 :Int64 = -123456789012345;
  uInt8 @5 :UInt8 = 234;
  uInt16 @6 :UInt16 = 45678;
  uInt32 @7 :UInt32 = 3456789012;
  uInt64 @8 :UInt64 = 12345678901234567890;
  float32 @9 :Float32 = 1234.5;
  float64 @10 :Float64 = -123e45;
  text @11 :Text = "foo \"bar\"\né";
  data @12 :Data = "bar";
  color @13 :Color = blue;
  nested @14 :Everything.Nested = (name = "default", value = -3, child = (name = "inner"));
  numbers @15 :List(Int32) = [11, -22, 33];
  texts @16 :List(Text) = ["plugh", "xyzzy", "thud"];
  structs @17 :List(Everything.Nested) = [(name = "first", value = 1), (name = "second", value = 2)];
  bools @18 :List(Bool) = [true, false, false, true];
  lists @19 :List(List(UInt8)) = [[1, 2], [], [3]];
  infinite @20 :Float32 = -inf;
  notANumber @21 :Float64 = nan;
  group :group {
    number @22 :UInt16 = 99;
    word @23 :Text = "grouped";
  }
}

struct Unions {
  # Named and unnamed unions, groups, and unions in groups.
  before @0 :Int16;

  union {
    nothing @1 :Void;
    number @2 :Int64 = 7;
    flag @3 :Bool;
    color @4 :Color;
    text @5 :Text;
    data @6 :Data;
    nested @7 :Everything.Nested;
    numbers @8 :List(Int32);
    anything @9 :AnyPointer;
    pair :group {
      left @10 :Int32;
      right @11 :Text;
    }
  }

  named :union {
    # A named union.
    small @12 :UInt8;
    large @13 :UInt64;
    name @14 :Text;
    none @15 :Void;
  }

  group :group {
    # A group with a union inside.
    id @16 :UInt32;
    inner :union {
      one @17 :Float32;
      two :group {
        a @18 :Bool;
        b @19 :List(Text);
      }
    }
  }
}

struct Tree {
  # Refers to itself, for messages of many segments.
  label @0 :Text;
  children @1 :List(Tree);
  left @2 :Tree;
  payload @3 :Data;
}
