@0xea61bec7e49a458b;
# What the two-process tests exchange.

struct Exchange {
  number @0 :UInt64;
  text @1 :Text;
  # In a request: what the peer is to do with it. In a response: what it found.
  chunks @2 :List(Data);
  # The payload: byte i of chunk c is (i + c) modulo 251.
}

struct Remark {
  # For channels of another type.

  text @0 :Text;
}

struct Tree {
  # For messages whose pointers are forged: whatever a message can refer to itself with.

  number @0 :UInt64;
  next @1 :Tree;
  children @2 :List(Tree);
  label @3 :Text;
}
