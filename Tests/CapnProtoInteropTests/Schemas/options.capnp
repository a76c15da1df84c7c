@0x9b7de2f4380c6a15;
# What `swift.capnp` can say, and annotations of every kind.

using Swift = import "/sluice/swift.capnp";
$Swift.module("CapnProtoInteropTests");
$Swift.access(internal);
$Swift.name("OptionsFile");

annotation note @0xd9e14f7a2b6c8035 (*) :Text;
annotation style @0xa1c3e5f708192a3b (struct, field) :Style;
annotation flag @0xb2d4f6081a2c3e4f (struct) :Void;

struct Style {
  bold @0 :Bool;
  colors @1 :List(UInt32);
}

$note("a file");

struct Renamed $Swift.name("Aliased") $flag $style(bold = true, colors = [1, 2]) {
  old @0 :Text $Swift.name("fresh") $note("a field");
  place :group $Swift.name("spot") {
    x @1 :Int32 = 3;
    y @2 :List(Int32) = [4];
  }
  union {
    first @3 :Void $Swift.name("one");
    second @4 :Int32 $Swift.name("two");
  }
  const limit :UInt8 = 9 $Swift.name("bound");
  const list :List(UInt8) = [7] $Swift.name("items");
  struct Inner $Swift.name("Nested") { again @0 :Renamed; }
  inner @5 :Inner;
}

enum Fruit $note("an enum") {
  apple @0 $Swift.name("red") $note("an enumerant");
  pear @1;
}

interface Shop $note("an interface") {
  buy @0 (fruit :Fruit $note("a parameter")) -> (price :UInt32) $Swift.name("purchase") $note("a method");
}
