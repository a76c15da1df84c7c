@0xf8e2605b3c9d7a14;

using import "/people.capnp".Person;
using Swift = import "/sluice/swift.capnp";
$Swift.access(package);

struct Room {
  number @0 :UInt16;
  people @1 :List(Person);
}
