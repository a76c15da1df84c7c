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

  desk @8 :Box(Person);
  helper @9 :Helper(Text);

  struct Cat {
    name @0 :Text;
    fur @1 :Fur;
  }
  struct Address { city @0 :Text; }
  enum Fur { short @0; long @1; }
}

struct Box(T) {
  content @0 :T;
  inner @1 :Box(Box(T));
}

interface Helper(T) extends (Pinged) {
  help @0 (what :T, box :Box(T)) -> (result :Person);
}

interface Pinged { ping @0 (); }

const ada :Person = (name = "Ada", age = 36);
