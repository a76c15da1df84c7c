@0xe3b1f9c5a7d04682;
# Three loads, after the well-known idea of the Cap'n Proto project's own benchmark.

enum Color { black @0; white @1; red @2; green @3; blue @4; silver @5; }

struct Wheel {
  diameter @0 :UInt16;
  pressure @1 :Float32;
  isStuddless @2 :Bool;
}

struct Engine {
  horsepower @0 :UInt16;
  cylinders @1 :UInt8;
  cubicCentimeters @2 :UInt32;
  isElectric @3 :Bool;
  isTurbo @4 :Bool;
}

struct Car {
  maker @0 :Text;
  model @1 :Text;
  color @2 :Color;
  seats @3 :UInt8;
  doors @4 :UInt8;
  wheels @5 :List(Wheel);
  length @6 :UInt16;
  width @7 :UInt16;
  height @8 :UInt16;
  weight @9 :UInt32;
  engine @10 :Engine;
  tankLitres @11 :Float32;
  fuelLitres @12 :Float32;
  hasPowerWindows @13 :Bool;
  hasCruiseControl @14 :Bool;
  hasNavigation @15 :Bool;
  cupHolders @16 :UInt8;
}

struct ParkingLot {
  # What is for sale.
  cars @0 :List(Car);
}

struct Hit {
  url @0 :Text;
  score @1 :Float64;
  snippet @2 :Text;
}

struct HitList {
  # What a search found.
  hits @0 :List(Hit);
}

enum Operation { add @0; subtract @1; multiply @2; divide @3; remainder @4; }

struct Expression {
  operation @0 :Operation;
  left :union {
    value @1 :Int32;
    expression @2 :Expression;
  }
  right :union {
    value @3 :Int32;
    expression @4 :Expression;
  }
}
