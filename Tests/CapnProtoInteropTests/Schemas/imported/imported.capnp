@0xd4c8a1f06b3e9257;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("interop::imported");

struct Point {
  x @0 :Int16;
  y @1 :Int16;
}

enum Kind {
  zero @0;
  one @1;
}
