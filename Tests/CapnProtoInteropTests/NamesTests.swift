import CapnProto
import Testing

/// Names that are keywords of Swift, or that generated code needs for itself.
@Suite struct NamesTests {
  @Test("fields whose names mean something else are properties all the same")
  func fields() throws {
    var message = try MessageBuilder(Names.self)
    Self.fill(message.root)
    try message.read { try Self.expect($0) }
  }

  private static func fill(_ names: Names.Builder) {
    names.self_ = 1
    names.`init` = 2
    names.class = "class"
    names.default = true
    names.raw_ = 3
    names.which_ = 4
    names.asReader_ = 5
    names.foo = "foo"
    names.hasFoo = false
    names.initBar = 6
    names.initBar_(1)[0] = 7
    names.setBaz = 8
    names.setBaz_([9])
    names.in = .unknown_
    names.initType().value = 10
    names.initString().value = 11
    names.initReader().value = 12
    names.initBuilder().value = 13
    names.initProtocol(2)[1] = .switch
    names.other.initValue().value = 14
    names.initNames().value = 15
    names.initOuter().value = 16
    names.case = 17
  }

  private static func expect(_ names: Names.Reader) throws {
    #expect(names.self_ == 1)
    #expect(names.`init` == 2)
    #expect(try names.class == "class")
    #expect(names.default == true)
    #expect(names.raw_ == 3)
    #expect(names.which_ == 4)
    #expect(names.asReader_ == 5)
    #expect(names.hasFoo == false)
    #expect(names.hasFoo_ == true)
    #expect(names.initBar == 6)
    #expect(try names.bar.array == [7])
    #expect(try names.baz.bytes == [9])
    #expect(names.in == Names.Keyword.unknown_)
    #expect(try names.type.value == 10)
    #expect(try names.string.value == 11)
    #expect(try names.reader.value == 12)
    #expect(try names.builder.value == 13)
    #expect(try names.protocol.array == [.self_, .switch])
    #expect(try names.other.value.value == 14)
    #expect(try names.names.value == 15)
    #expect(try names.outer.value == 16)
    #expect(try names.case == 17)
    switch try names.which {
    case .unknown_, .true, .unknown: Issue.record("another member is set")
    case .case(let value): #expect(value == 17)
    }
  }

  @Test("constants have their values, in the type they are declared in")
  func constants() {
    #expect(answer == 42)
    #expect(Everything.Nested.limit == -7)
    #expect(Everything.Nested.title == "a \"quoted\"\ttitle")
    #expect(Everything.Nested.ratio == 0.25)
    #expect(Everything.Nested.enabled == true)
    #expect(Everything.Nested.favourite == .wild)
    #expect(Everything.Nested.magic == [0, 0xff, 0x10])
    #expect(Everything.Nested.huge == .max)
    #expect(Names.size_ == 2)
    #expect(Names.typeName_ == "name")
    #expect(Names.repeat == true)
    #expect(Names.endless == .infinity)
    #expect(Names.minusEndless == -.infinity)
  }

  @Test("types know their schema")
  func identity() {
    #expect(Everything.Nested.typeName == "Schemas/everything.capnp:Everything.Nested")
    #expect(Everything.size.dataWords > 0)
    #expect(Color.typeID >> 63 == 1)
    #expect(Service.typeID >> 63 == 1)
    #expect(CapnProto_.typeName == "Schemas/names.capnp:CapnProto")
    #expect(Which_.size == StructSize(dataWords: 1, pointers: 0))
  }
}
