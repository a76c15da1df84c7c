@0xa1b2c3d4e5f60718;
# What the schema language allows and hardly anybody writes: all of it has to generate code that compiles.

using Swift = import "/sluice/swift.capnp";
enum NoCases {}
struct NoFields {}
interface NoMethods {}
struct OnlyVoid { v @0 :Void; vs @1 :List(Void); }
struct Groups {
  struct Point3 {
    x @0 :Int8;
    y @1 :Text;
  }
  g :group {
    h :group {
      i :union {
        a @0 :Void;
        b :group {
          c @1 :Bool = true;
          d @2 :List(Groups);
        }
      }
    }
  }
}
const embeddedText :Text = embed "embedded.txt";
const embeddedBlob :Data = embed "embedded.txt";
const truth :Bool = true;
const second :Swapped = two;
enum Swapped @0xa1b2c3d4e5f60799 { one @1; two @0; }
const point :Groups.Point3 = (x = 5, y = .embeddedText);
struct Fixed @0xa1b2c3d4e5f60720 $Swift.name("Renamed2") { using Alias = NoFields; a @0 :Alias; }
using Up = Fixed;
struct UsesAlias { u @0 :Up; v @1 :Up.Alias; }
struct Both(T, U) {
  t @0 :T;
  u @1 :U;
  l @2 :List(Both(U, T));
  n @3 :Inner(T);
  struct Inner(V) {
    v @0 :V;
    t @1 :T;
    both @2 :Both(V, U).Inner(T);
  }
interface Svc(W) {
  m @0 [X, Y] (x :X, y :List(Y2), w :W, t :T) -> (y :Y);
  struct Y2 {
    z @0 :W;
  }
}
svc @4 :Svc(Text);
}
struct Embedded {
  embeddedSchema @0 :Text;
  interface @1 :Text;
  typeID @2 :Int32;
  size @3 :Int8;
  reader @4 :Text;
  self @5 :Text;
  type @6 :Text;
}
interface Methods {
  interface @0 ();
  init @1 (init :Text);
  embeddedSchema @2 () -> (self :Text);
  typeID @3 ();
  string @4 ();
  ordinal @5 ();
  name @6();
  swift @7 ();
  params @8 (params :Text) -> (results :Text);
  results @9 ();
  const size :Int32 = 3; const str :Text = "a"; enum Error { a @0; } struct Bool { b @0 :Text; } }
struct Library {
  struct UInt16 {
  }
  struct UInt64 {
  }
  struct Void {
  }
  struct Error {
  }
  struct StringProtocol {
  }
  struct UTF8Span {
  }
  struct OutputRawSpan {
  }
  struct MutableRawSpan {
  }
  struct RawSpan {
  }
  struct Hashable {
  }
  struct Int {
  }
  struct Bool {
  }
  struct String {
  }
  struct UInt8 {
  }
t @0 :Text;
d @1 :Data;
l @2 :List(Text);
union {
  u @3 :Void;
  w @4 :Text;
}
e @5 :Mood;
enum Mood {
  m @0;
}
b @6 :Bool;
b2 @7 :Fail(Text, Data, Text, Data);
struct Fail(Failure, E, Element, Content) {
  a @0 :Failure;
  e @1 :E;
  t @2 :Text;
  el @3 :Element;
  c @4 :Content;
}
x @8 :UInt8;
}
interface Sub extends(Both(Text, Data).Svc(List(Text)), Methods) {
  go @0 Both(Text, Data) -> Both(Text, Data).Inner(Text);
  cap @1 (c :Capability, a :AnyPointer, s :AnyStruct, l :AnyList, cs :List(Capability), subs :List(Sub)) -> (m :Methods);
}
struct MoreDefaults {
  i @0 :Swapped = one;
  g @1 :Both(Text, Data) = (t = "x", u = "y");
  ls @2 :List(Both(Text, List(Int8))) = [(t = "q", u = [1,2])];
  f @3 :Float32 = nan;
  h @4 :Float64 = -inf;
  z @5 :Float32 = -0.0;
  m @6 :Int64 = -9223372036854775808;
  mm @7 :Int8 = -128;
  ll @8 :List(List(Text)) = [["a"],[]];
  nested @9 :Groups = (g = (h = (i = (b = (c = false)))));
  sub @10 :Sub;
  dd @11 :Data = "";
  tt @12 :Text = "";
}
annotation anno @0xa1b2c3d4e5f60721 (*) :Both(Text, Data);
struct Annotated $anno(t = "x", u = "y") {
  a @0 :Text $anno(t = "z");
  annotation inner(field) :Annotated;
  b @1 :Int8 $inner(a = "k");
}
struct BigUnion {
  union {
    a @0 :Int8 = 4;
    b @1 :Bool = true;
    c @2 :Text = "def";
    d @3 :List(Int32) = [1];
    e @4 :NoFields;
    f @5 :AnyPointer;
    g @6 :Methods;
    h @7 :Swapped = one;
    i @8 :Data = "dat";
    j @9 :Float64 = 1.5;
    k :group {
      x @10 :Int8;
    }
    l :union {
      y @11 :Void;
      z @12 :Void;
    }
  }
}
struct Poly(T) { p @0 :Poly(Poly(T)); q @1 :T; }
struct Keywords {
  case @0 :Int8;
  do @1 :Int8;
  any @2 :Int8;
  some @3 :Int8;
  actor @4 :Int8;
  async @5 :Int8;
  await @6 :Int8;
  each @7 :Int8;
  repeat @8 :Int8;
  super @9 :Int8;
  throw @10 :Int8;
  extension @11 :Text;
  operator @12 :Text;
  prefix @13 :Text;
  get @14 :Text;
  set @15 :Text;
  didSet @16 :Text;
  dynamicType @17 :Text;
  description @18 :Text;
  union {
    none @19 :Void;
    some2 @20 :Void;
    default @21 :Text;
  }
  consuming @22 :Text;
  borrowing @23 :Text;
  isolated @24 :Int8;
  sending @25 :Int8;
  unsafe @26 :Int8;
  nonisolated @27 :Int8;
  macro @28 :Int8;
  package @29 :Int8;
  open @30 :Int8;
}
