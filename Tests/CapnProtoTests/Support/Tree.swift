import CapnProto

/// What the generator would make of this schema, by hand, with a field for each kind of thing:
///
///     enum Color { red @0; green @1; blue @2; }
///     struct Leaf { weight @0 :Float64; label @1 :Text = "unnamed"; }
///     struct Tree {
///       id @0 :UInt32 = 7;          # bits 0 to 31
///       flag @1 :Bool = true;       # bit 32
///       color @2 :Color;            # bits 48 to 63
///       name @3 :Text;              # pointer 0
///       blob @4 :Data;              # pointer 1
///       kids @5 :List(Tree);        # pointer 2
///       texts @6 :List(Text);       # pointer 3
///       numbers @7 :List(UInt16);   # pointer 4
///       bits @8 :List(Bool);        # pointer 5
///       grid @9 :List(List(Leaf));  # pointer 6
///       blobs @10 :List(Data);      # pointer 7
///       colors @11 :List(Color);    # pointer 8
///       any @12 :AnyPointer;        # pointer 9
///       union {                     # tag: bits 80 to 95
///         none @13 :Void;
///         number @14 :Int64;        # bits 128 to 191
///         leaf @15 :Leaf;           # pointer 10
///       }
///       voids @16 :List(Void);      # pointer 11
///       small @17 :Int8 = -3;       # bits 64 to 71
///     }
enum Tree: StructSchema {
  static let typeID: UInt64 = 0xd5b3_0a4e_9b2c_71f1
  static let typeName = "tree.capnp:Tree"
  static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }
  static let size = StructSize(dataWords: 3, pointers: 12)

  struct Reader: StructReader, ~Escapable {
    let raw: RawStructReader
    @_lifetime(copy raw) init(_ raw: RawStructReader) { self.raw = raw }

    var id: UInt32 { raw.load(at: 0, default: 7) }
    var flag: Bool { raw.loadBool(atBit: 32, default: true) }
    var color: Color { raw.load(at: 3) }
    var small: Int8 { raw.load(at: 8, default: -3) }
    var hasName: Bool { raw.hasPointer(at: 0) }
    var name: String { get throws(CapnProtoError) { try raw.text(at: 0) } }
    var nameBytes: RawSpan { @_lifetime(copy self) get throws(CapnProtoError) { try raw.textBytes(at: 0) } }
    var blob: RawSpan { @_lifetime(copy self) get throws(CapnProtoError) { try raw.data(at: 1) } }
    var kids: ListReader<Tree.Reader> { @_lifetime(copy self) get throws(CapnProtoError) { try raw.list(at: 2) } }
    var texts: ListReader<String> { @_lifetime(copy self) get throws(CapnProtoError) { try raw.list(at: 3) } }
    var numbers: ListReader<UInt16> { @_lifetime(copy self) get throws(CapnProtoError) { try raw.list(at: 4) } }
    var bits: ListReader<Bool> { @_lifetime(copy self) get throws(CapnProtoError) { try raw.list(at: 5) } }
    var grid: ListReader<ListReader<Leaf.Reader>> {
      @_lifetime(copy self) get throws(CapnProtoError) { try raw.list(at: 6) }
    }
    var blobs: ListReader<RawSpan> { @_lifetime(copy self) get throws(CapnProtoError) { try raw.list(at: 7) } }
    var colors: ListReader<Color> { @_lifetime(copy self) get throws(CapnProtoError) { try raw.list(at: 8) } }
    var any: AnyPointerReader { @_lifetime(copy self) get { raw.pointer(at: 9) } }
    var voids: ListReader<VoidElement> { @_lifetime(copy self) get throws(CapnProtoError) { try raw.list(at: 11) } }

    enum Which: ~Escapable {
      case none
      case number(Int64)
      case leaf(Leaf.Reader)
      case unknown(UInt16)
    }
    var which: Which {
      @_lifetime(copy self) get throws(CapnProtoError) {
        switch raw.load(UInt16.self, at: 5) {
        case 0: .none
        case 1: .number(raw.load(at: 2))
        case 2: .leaf(Leaf.Reader(try raw.structure(at: 10)))
        case let tag: .unknown(tag)
        }
      }
    }
    var leaf: Leaf.Reader {
      @_lifetime(copy self) get throws(CapnProtoError) {
        try raw.expectMember(2, at: 5)
        return Leaf.Reader(try raw.structure(at: 10))
      }
    }
  }

  struct Builder: StructBuilder, ~Escapable {
    static var size: StructSize { Tree.size }
    let raw: RawStructBuilder
    @_lifetime(copy raw) init(_ raw: RawStructBuilder) { self.raw = raw }
    var asReader: Reader { @_lifetime(copy self) get { Reader(raw.asReader) } }

    var id: UInt32 {
      get { raw.load(at: 0, default: 7) }
      nonmutating set { raw.store(newValue, at: 0, default: 7) }
    }
    var flag: Bool {
      get { raw.loadBool(atBit: 32, default: true) }
      nonmutating set { raw.storeBool(newValue, atBit: 32, default: true) }
    }
    var color: Color {
      get { raw.load(at: 3) }
      nonmutating set { raw.store(newValue, at: 3) }
    }
    var small: Int8 {
      get { raw.load(at: 8, default: -3) }
      nonmutating set { raw.store(newValue, at: 8, default: -3) }
    }
    var name: String {
      get { raw.text(at: 0) }
      nonmutating set { raw.setText(newValue, at: 0) }
    }
    var blob: RawSpan { @_lifetime(copy self) get { raw.data(at: 1) } }
    func setBlob(_ bytes: [UInt8]) { raw.setData(bytes, at: 1) }
    func setBlob(_ bytes: RawSpan) { raw.setData(bytes, at: 1) }
    @_lifetime(copy self) func initBlob(byteCount: Int) -> MutableRawSpan { raw.initData(at: 1, byteCount: byteCount) }
    func initBlob<E: Error>(byteCount: Int, fill: (inout OutputRawSpan) throws(E) -> Void) throws(E) {
      try raw.initData(at: 1, byteCount: byteCount, fill: fill)
    }
    var kids: ListBuilder<Tree.Builder> { @_lifetime(copy self) get { raw.list(at: 2) } }
    @_lifetime(copy self) func initKids(_ count: Int) -> ListBuilder<Tree.Builder> { raw.initList(at: 2, count: count) }
    @_lifetime(copy self) func initTexts(_ count: Int) -> ListBuilder<String> { raw.initList(at: 3, count: count) }
    @_lifetime(copy self) func initNumbers(_ count: Int) -> ListBuilder<UInt16> { raw.initList(at: 4, count: count) }
    @_lifetime(copy self) func initBits(_ count: Int) -> ListBuilder<Bool> { raw.initList(at: 5, count: count) }
    @_lifetime(copy self) func initGrid(_ count: Int) -> ListBuilder<ListBuilder<Leaf.Builder>> {
      raw.initList(at: 6, count: count)
    }
    @_lifetime(copy self) func initBlobs(_ count: Int) -> ListBuilder<RawSpan> { raw.initList(at: 7, count: count) }
    @_lifetime(copy self) func initColors(_ count: Int) -> ListBuilder<Color> { raw.initList(at: 8, count: count) }
    var any: AnyPointerBuilder { @_lifetime(copy self) get { raw.pointer(at: 9) } }
    @_lifetime(copy self) func initVoids(_ count: Int) -> ListBuilder<VoidElement> {
      raw.initList(at: 11, count: count)
    }

    func setNumber(_ value: Int64) {
      raw.store(UInt16(1), at: 5)
      raw.store(value, at: 2)
    }
    var leaf: Leaf.Builder {
      @_lifetime(copy self) get {
        guard raw.expectMember(2, at: 5) else { return Leaf.Builder(raw.dropped()) }
        return Leaf.Builder(raw.structure(at: 10, size: Leaf.size))
      }
    }
    @_lifetime(copy self) func initLeaf() -> Leaf.Builder {
      raw.store(UInt16(2), at: 5)
      return Leaf.Builder(raw.initStructure(at: 10, size: Leaf.size))
    }
  }
}

/// `struct Leaf` of the same schema.
enum Leaf: StructSchema {
  static let typeID: UInt64 = 0xa81c_33d0_5a77_0e42
  static let typeName = "tree.capnp:Leaf"
  static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }
  static let size = StructSize(dataWords: 1, pointers: 1)

  struct Reader: StructReader, ~Escapable {
    let raw: RawStructReader
    @_lifetime(copy raw) init(_ raw: RawStructReader) { self.raw = raw }
    var weight: Double { raw.load(at: 0) }
    var label: String { get throws(CapnProtoError) { try raw.text(at: 0, default: "unnamed") } }
  }

  struct Builder: StructBuilder, ~Escapable {
    static var size: StructSize { Leaf.size }
    let raw: RawStructBuilder
    @_lifetime(copy raw) init(_ raw: RawStructBuilder) { self.raw = raw }
    var weight: Double {
      get { raw.load(at: 0) }
      nonmutating set { raw.store(newValue, at: 0) }
    }
    var label: String {
      get { raw.text(at: 0, default: "unnamed") }
      nonmutating set { raw.setText(newValue, at: 0) }
    }
  }
}

/// `enum Color` of the same schema.
enum Color: EnumElement, Equatable {
  static let typeID: UInt64 = 0xe10a_5c7b_92f4_d3b6
  static let typeName = "tree.capnp:Color"
  static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }

  case red, green, blue
  case unknown(UInt16)

  init(rawValue: UInt16) {
    switch rawValue {
    case 0: self = .red
    case 1: self = .green
    case 2: self = .blue
    default: self = .unknown(rawValue)
    }
  }

  var rawValue: UInt16 {
    switch self {
    case .red: 0
    case .green: 1
    case .blue: 2
    case .unknown(let value): value
    }
  }
}
