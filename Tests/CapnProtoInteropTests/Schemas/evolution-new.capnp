@0xc7d10b5e8f42a693;
# The second version of the schema in evolution-old.capnp: everything was extended in the ways that the format allows.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("interop");

struct New {
  enum State {
    stopped @0;
    running @1;
    paused @2;
  }

  struct Entry {
    key @0 :Text;
    weight @1 :Float64 = 1;
  }

  struct Measure {
    value @0 :Int32;
    unit @1 :Text;
  }

  struct Record {
    id @0 :UInt32;
    name @1 :Text;
    state @2 :State;
    entries @3 :List(Entry);
    choice :union {
      number @4 :Int32;
      nothing @5 :Void;
      later @10 :Text;
    }
    tags @6 :List(State);
    numbers @7 :List(Measure);
    # Was a list of numbers.
    added @8 :Int64 = 10;
    note @9 :Text = "none";
  }
}
