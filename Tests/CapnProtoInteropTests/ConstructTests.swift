import CapnProto
import Testing

/// Rare constructs of the schema language, with the `capnp` tool on the other side. Most of `constructs.capnp` is there to be
/// compiled: names and shapes that could stand in each other's way.
@Suite struct ConstructTests {
  private static let schema = Tool.schema("constructs.capnp")
  private static let include = "-I" + Tool.package.appending(path: "Schemas/Include").path

  private static func encode(_ text: String, _ type: String) async throws -> [UInt8] {
    try await Tool.output(Tool.capnp, ["encode", include, schema, type], input: Array(text.utf8))
  }

  private static func decode(_ bytes: [UInt8], _ type: String) async throws -> String {
    let output = try await Tool.output(Tool.capnp, ["decode", "--short", include, schema, type], input: bytes)
    return String(decoding: output.dropLast(), as: UTF8.self)
  }

  /// A union with a member of every kind: what sets each, and what the tool prints then.
  private static func fill(_ union: BigUnion.Builder, _ member: String) {
    switch member {
    case "a": union.a = -3
    case "b": union.b = false
    case "c": union.c = "text"
    case "d": union.initD(2)[1] = 7
    case "e": _ = union.initE()
    case "f": union.initF().setText("any")
    case "g": _ = union.initG()
    case "h": union.h = .two
    case "i": union.setI([1, 0xff])
    case "j": union.j = -0.25
    case "k": union.initK().x = 9
    default: union.initL().setZ()
    }
  }

  private static func describe(_ union: BigUnion.Reader) throws -> String {
    switch try union.which {
    case .a(let value): return "(a = \(value))"
    case .b(let value): return "(b = \(value))"
    case .c(let value): return "(c = \"\(value)\")"
    case .d(let value): return "(d = \(value.array))"
    case .e: return "(e = ())"
    case .f: return "(f = <opaque pointer>)"
    case .g: return "(g)"
    case .h(let value): return "(h = \(value))"
    case .i(let value): return "(i = \(value.bytes))"
    case .j(let value): return "(j = \(value))"
    case .k(let value): return "(k = (x = \(value.x)))"
    case .l(let value):
      guard case .z = try value.which else { return "(l = ?)" }
      return "(l = (z = void))"
    case .unknown(let value): return "unknown \(value)"
    }
  }

  @Test("each member of a union is written and read", arguments: ["a", "b", "c", "d", "e", "h", "j", "k", "l"])
  func unionMembers(_ member: String) async throws {
    var message = try MessageBuilder(BigUnion.self, allocator: TinySegmentAllocator())
    Self.fill(message.root, member)
    #expect(message.failure == nil)
    let own = try message.read { try Self.describe($0) }
    let printed = try await Self.decode(try message.serialized(), "BigUnion")
    #expect(printed == own)
    let encoded = try MessageReader(BigUnion.self, stream: try await Self.encode(printed, "BigUnion"))
    #expect(try encoded.read { try Self.describe($0) } == own)
  }

  @Test("members that have no text are written and read", arguments: ["f", "g", "i"])
  func opaqueMembers(_ member: String) throws {
    var message = try MessageBuilder(BigUnion.self)
    Self.fill(message.root, member)
    #expect(try message.read { try Self.describe($0) }.hasPrefix("(\(member)"))
  }

  @Test("members with defaults read as these when they were chosen and not written")
  func memberDefaults() async throws {
    let message = try MessageReader(BigUnion.self, stream: try await Self.encode("()", "BigUnion"))
    #expect(try message.read { try Self.describe($0) } == "(a = 4)")
  }

  @Test("defaults of every shape")
  func defaults() async throws {
    let message = try MessageReader(MoreDefaults.self, stream: try await Self.encode("()", "MoreDefaults"))
    try message.read { root in
      #expect(root.i == .one)
      let generic = try root.g
      #expect(try generic.t == "x")
      let bytes = try generic.u.bytes
      #expect(bytes == [UInt8]("y".utf8))
      let list = try root.ls
      #expect(try list[0].u.array == [1, 2])
      #expect(root.f.isNaN && root.h == -.infinity && root.z.sign == .minus)
      #expect(root.m == .min && root.mm == .min)
      let lists = try root.ll
      let first = try lists[0]
      #expect(try first.array == ["a"])
      let nested = try root.nested
      guard case .b(let inner) = try nested.g.h.i.which else {
        Issue.record("another member is set")
        return
      }
      let isSet = inner.c
      #expect(!isSet)
    }
  }

  @Test("groups and unions in each other, and generic types that grow")
  func nesting() async throws {
    var message = try MessageBuilder(Groups.self, allocator: TinySegmentAllocator())
    message.root.g.h.i.initB().c = false
    let printed = try await Self.decode(try message.serialized(), "Groups")
    #expect(printed == "(g = (h = (i = (b = (c = false)))))")

    var poly = try MessageBuilder(Poly<TextSchema>.self)
    // The parameter of `p` is `Poly(Text)`, so that its value is one.
    poly.root.p.initQ().setQ("inner")
    poly.root.setQ("outer")
    try poly.read { root in
      let inner = try root.p
      let value = try inner.q
      #expect(try value.q == "inner")
      #expect(try root.q == "outer")
    }
  }

  @Test("constants: embedded files, enumerants out of order, references to others")
  func constants() {
    #expect(embeddedText == "hello")
    #expect(embeddedBlob == [UInt8]("hello".utf8))
    #expect(second == .two && Swapped.two.rawValue == 0)
    #expect(truth)
    let place = point
    #expect(place.x == 5)
    #expect((try? place.y) == "hello")
  }
}
