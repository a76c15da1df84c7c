@0xc17be05d94a3f268;
# Where people are.

using import "/people.capnp".Person;
# From another target: by its path inside that target.

using import "office/room.capnp".Room;
# From this target: by its path from this file, or from the target's directory if it begins with a slash.

using Swift = import "/sluice/swift.capnp";
$Swift.access(package);

struct Building {
  rooms @0 :List(Room);
  porter @1 :Person;
}
