@0xb6f4d2903e1a5c78;
# Names that mean something else in Swift, or in generated code.

struct Names {
  self @0 :Int32;
  init @1 :Int32;
  class @2 :Text;
  default @3 :Bool;
  raw @4 :Int32;
  which @5 :Int32;
  asReader @6 :Int32;
  foo @7 :Text;
  hasFoo @8 :Bool;
  initBar @9 :Int32;
  bar @10 :List(Int32);
  setBaz @11 :Int32;
  baz @12 :Data;
  in @13 :Keyword;
  type @14 :Type;
  string @15 :String;
  reader @16 :Reader;
  builder @17 :Builder;
  protocol @18 :List(Protocol);
  other :group {
    # Its type gives way to the struct `Other`.
    value @19 :Other;
  }
  names @20 :Inner.Names;
  outer @21 : .Hidden;
  double @22 :Double;

  const size :Int32 = 2;
  const typeName :Text = "name";
  const repeat :Bool = true;
  const endless :Float32 = inf;
  const minusEndless :Float64 = -inf;

  enum Keyword {
    self @0;
    init @1;
    unknown @2;
    rawValue @3;
    while @4;
    typeName @5;
    none @6;
  }

  struct String { value @0 :Int8; }
  struct Double { value @0 :Int8; }
  struct RawSpan { value @0 :Data; float @1 :Float64; }
  struct Type { value @0 :Int32; }
  struct Reader { value @0 :Int32; }
  struct Builder { value @0 :Int32; }
  enum Protocol { self @0; switch @1; }

  struct Hidden {
    # Hides the top-level struct of that name.
    value @0 :Text;
  }

  struct Inner {
    struct Names { value @0 :Int8; }
  }

  union {
    unknown @23 :Void;
    case @24 :Int16;
    true @25 :Void;
  }
}

struct Hidden { value @0 :Int8; }
struct Other { value @0 :Int8; }
struct CapnProto { value @0 :Int8; }
struct Which { value @0 :Int8; }
