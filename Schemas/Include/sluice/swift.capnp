@0xe41d7fb2a6c05893;
# Annotations for capnpc-swift: what a schema says about the Swift that is generated for it.
#
#     using Swift = import "/sluice/swift.capnp";
#     $Swift.module("CacheSchema");
#
# CapnProtoPlugin finds this file by itself. Without it, name the directory that `sluice` is in:
#
#     capnp compile -I .../Schemas/Include -o .../capnpc-swift cache.capnp

annotation module @0xb8a1c95e3d2f7064 (file) :Text;
# The Swift module that the code for this file belongs to. Files that import this one import the module. CapnProtoPlugin knows
# the modules of targets; what is written here must agree with it.

annotation name @0xc2640ef18b97d35a
    (file, struct, enum, interface, annotation, const, field, group, union, enumerant, method) :Text;
# The declaration's name in Swift, where it is to be another one than in the schema: ASCII letters and digits, a letter first.
# Files take it for the namespace of what Swift has of the file itself: its schema and the annotations that it declares.
# Groups and named unions take it for their property, and with a capital for their type.

annotation access @0xf51b0d8e746a29c3 (file) :Access;
# Who can use the code for this file: `public` if nothing is said.

enum Access {
  public @0;
  # Every module.
  package @1;
  # The modules of the same package.
  internal @2;
  # The module that the code is compiled in.
}
