@0x8e3d5f7a1c6b9240;
# Generic types: parameters of structs, of the scopes around them, and of interfaces; bound, unbound and passed on.

using Everything = import "everything.capnp".Everything;
using Color = import "everything.capnp".Color;

struct Map(Key, Value) {
  # A map, as a list of its entries.
  entries @0 :List(Entry);

  struct Entry {
    key @0 :Key;
    # What the entry is found by.
    value @1 :Value;
  }

  fallback @1 :Value;
  inverse @2 :Map(Value, Key);
  order @3 :Order = sorted;

  enum Order { unsorted @0; sorted @1; }

  const limit :UInt32 = 1000;
  const primes :List(Int32) = [2, 3, 5];
  const seal :Data = 0x"0a 0b";
}

struct Box(T) {
  union {
    empty @0 :Void;
    value @1 :T;
    pair :group {
      first @2 :T;
      second @3 :T;
    }
  }
  note @4 :List(Text) = ["none"];

  struct Lid(T) {
    # A parameter that hides the outer one.
    label @0 :T;
  }
  lid @5 :Lid(Text);

  struct Inner {
    content @0 :T;
    next @1 :Inner;
    foreign @2 :Box(Text).Inner;
    unbound @3 :Box.Inner;
  }
  inner @6 :Inner;
}

struct Shadows {
  struct String(Builder) {
    # Names that mean something else in Swift.
    value @0 :Builder;
    text @1 :Text;
  }
}

struct Registry {
  # Uses the generic types with every kind of argument.
  people @0 :Map(Text, Everything.Nested);
  groups @1 :Map(Text, Map(Text, List(Int32)));
  blobs @2 :Map(Data, List(Data));
  colors @3 :Box(List(Color));
  flags @4 :Box(List(List(Bool)));
  any @5 :Box;
  lists @6 :List(Box(Text));
  entry @7 :Map(Text, Text).Entry;
  service @8 :Box(Factory(Text));
  inner @9 :Box(Everything.Nested).Inner;
  order @10 :Map(Text, Data).Order;
  string @11 :Shadows.String(Text);
}

interface Factory(Product) {
  struct Order {
    product @0 :Product;
    count @1 :UInt32;
  }
  make @0 (order :Order) -> (product :Product);
  convert @1 [Other] (product :Product) -> (other :Other);
}
