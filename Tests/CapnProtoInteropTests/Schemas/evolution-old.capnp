@0x9be2f4d7c3a01856;
# The first version of a schema whose second is in evolution-new.capnp.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("interop");

struct Old {
  # A namespace, for the two versions are in one Swift module.

  enum State {
    stopped @0;
    running @1;
  }

  struct Entry {
    key @0 :Text;
  }

  struct Record {
    id @0 :UInt32;
    name @1 :Text;
    state @2 :State;
    entries @3 :List(Entry);
    choice :union {
      number @4 :Int32;
      nothing @5 :Void;
    }
    tags @6 :List(State);
    numbers @7 :List(Int32);
  }
}
