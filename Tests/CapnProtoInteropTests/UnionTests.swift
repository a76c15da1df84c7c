import CapnProto
import Testing

/// Named and unnamed unions, groups, and unions in groups.
@Suite struct UnionTests {
  static let members = [
    "nothing", "number", "flag", "color", "text", "data", "nested", "numbers", "anything", "pair",
  ]

  /// Sets the member called `member`, and what `oracle.cpp` sets beside it.
  static func fill(_ root: Unions.Builder, _ member: String) {
    root.before = -1
    switch member {
    case "nothing": root.setNothing()
    case "number": root.number = -70
    case "flag": root.flag = true
    case "color": root.color = .blue
    case "text": root.text = "in a union"
    case "data": root.setData([1, 2, 3])
    case "nested": EverythingSample.fillNested(root.initNested(), "member", 3)
    case "numbers":
      let numbers = root.initNumbers(2)
      numbers[0] = 8
      numbers[1] = 9
    case "anything": root.initAnything().setText("xyz")
    default:
      let pair = root.initPair()
      pair.left = 12
      pair.right = "right"
    }
    switch member {
    case "pair": root.named.large = 1 << 60
    case "text": root.named.name = "named"
    case "data": root.named.setNone()
    default: break
    }
    root.group.id = 77
    if member == "pair" {
      let two = root.group.inner.initTwo()
      two.a = true
      let b = two.initB(2)
      b[0] = "b0"
      b[1] = "b1"
    } else {
      root.group.inner.one = 0.75
    }
  }

  /// The member that is set, and its value, by `which`.
  static func describe(_ root: Unions.Reader) throws -> String {
    switch try root.which {
    case .nothing: return "nothing"
    case .number(let value): return "number \(value)"
    case .flag(let value): return "flag \(value)"
    case .color(let value): return "color \(value)"
    case .text(let value): return "text \(value)"
    case .data(let value): return "data \(value.bytes)"
    case .nested(let value): return "nested \(try value.name) \(value.value)"
    case .numbers(let value): return "numbers \(value.array)"
    case .anything(let value): return "anything \(try value.asText())"
    case .pair(let value): return "pair \(value.left) \(try value.right)"
    case .unknown(let member): return "unknown \(member)"
    }
  }

  static let descriptions = [
    "nothing": "nothing", "number": "number -70", "flag": "flag true", "color": "color blue",
    "text": "text in a union", "data": "data [1, 2, 3]", "nested": "nested member 3", "numbers": "numbers [8, 9]",
    "anything": "anything xyz", "pair": "pair 12 right",
  ]

  static func expect(_ root: Unions.Reader, _ member: String) throws {
    #expect(root.before == -1)
    #expect(try describe(root) == descriptions[member])
    let named = root.named
    switch try named.which {
    case .small(let value): #expect(value == 0 && !["pair", "text", "data"].contains(member))
    case .large(let value): #expect(value == 1 << 60 && member == "pair")
    case .name(let value): #expect(value == "named" && member == "text")
    case .none: #expect(member == "data")
    case .unknown(let found): Issue.record("unknown member \(found)")
    }
    #expect(root.group.id == 77)
    let inner = root.group.inner
    switch try inner.which {
    case .one(let value): #expect(value == 0.75 && member != "pair")
    case .two(let value):
      #expect(value.a == true)
      #expect(try value.b.array == ["b0", "b1"])
    case .unknown(let found): Issue.record("unknown member \(found)")
    }
  }

  @Test("Swift reads each member that libcapnp set", arguments: members)
  func read(_ member: String) async throws {
    let bytes = try await Oracle.shared.write("unions.\(member)")
    try MessageReader(Unions.self, stream: bytes).read { try Self.expect($0, member) }
  }

  @Test("libcapnp reads each member that Swift set", arguments: members)
  func write(_ member: String) async throws {
    var message = try MessageBuilder(Unions.self, allocator: .tiny)
    Self.fill(message.root, member)
    try message.read { try Self.expect($0, member) }
    try await Oracle.shared.check("unions.\(member)", try message.serialized())
  }

  @Test("setting a member replaces the one that was set", arguments: members, members)
  func replace(_ first: String, _ second: String) throws {
    var message = try MessageBuilder(Unions.self)
    Self.fill(message.root, first)
    Self.fill(message.root, second)
    let description = try message.read { try Self.describe($0) }
    #expect(description == Self.descriptions[second])
  }

  @Test("reading a member that is not set throws")
  func wrongMemberRead() throws {
    var message = try MessageBuilder(Unions.self)
    message.root.text = "set"
    try message.read { root throws in
      #expect(throws: CapnProtoError.self) { try root.number }
      #expect(throws: CapnProtoError.self) { try root.pair.left }
      #expect(root.hasText == true)
      #expect(root.hasData == false)
    }
  }

  @Test("building on a member that is not set fails the message, and changes nothing")
  func wrongMemberBuilt() throws {
    var message = try MessageBuilder(Unions.self)
    message.root.text = "set"
    message.root.pair.left = 3
    #expect(throws: CapnProtoError.self) { try message.serialized() }
    guard case .wrongUnionMember(expected: 9, found: 4) = message.failure?.kind else {
      Issue.record("unexpected failure \(String(describing: message.failure))")
      return
    }
    #expect(message.root.text == "set")
  }
}
