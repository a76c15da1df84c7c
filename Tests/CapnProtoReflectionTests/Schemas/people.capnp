@0xf2b1c7d09e3a4586;
# A small schema whose generated code is compared with what reflection sees.

annotation label @0xd1e9a7c3b5f20481 (struct, field) :Text;

struct Person $label("a person") {
  name @0 :Text = "nobody";
  age @1 :UInt8 $label("in years");
  friends @2 :List(Person);
  pet :union {
    none @3 :Void;
    cat @4 :Cat;
    fish @5 :UInt16;
  }
  motto @6 :List(Text) = ["live", "learn"];
  home @7 :Address = (city = "Bern");

  struct Cat {
    name @0 :Text;
    fur @1 :Fur;
  }
  struct Address { city @0 :Text; }
  enum Fur { short @0; long @1; }
}
