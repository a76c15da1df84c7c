import CapnProto
import CapnProtoReflection
import CapnProtoSchema
import Testing

@Suite struct SchemaTests {
  @Test func structsListTheirFields() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Unions")
    #expect(schema.name == "Unions")
    #expect(schema.displayName.hasSuffix("everything.capnp:Unions"))
    #expect(schema.hasUnion)
    #expect(schema.fields.filter { $0.discriminant == nil }.map(\.name) == ["before", "named", "group"])
    let pair = try #require(schema.field(named: "pair"))
    #expect(pair.isGroup)
    #expect(pair.ordinal == nil)
    #expect(pair.discriminant == 9)
    #expect(schema.unionMember(9)?.name == "pair")
    #expect(schema.unionMember(10) == nil)
    guard case .structure(let group) = pair.type else { throw Tool.Failure(description: "no group") }
    #expect(group.isGroup)
    #expect(group.size == schema.size)
    #expect(group.fields.map(\.name) == ["left", "right"])
    #expect(group.field(named: "right")?.ordinal == 11)
    let number = try #require(schema.field(named: "number"))
    #expect(number.hasExplicitDefault)
    try number.defaultValue?.read { value in
      guard case .int(7) = value else { throw Tool.Failure(description: value.kind) }
    }
    #expect("\(try #require(schema.field(named: "numbers")).type)" == "List(Int32)")
  }

  @Test func declarationsAreFoundByNameAndKind() async throws {
    let registry = try await Fixture.interop("everything.capnp").registry
    let nested = try #require(registry.declaration(named: "Everything.Nested"))
    #expect(nested.kind == .structure)
    #expect(nested.scope?.name == "Everything")
    #expect(nested.nested.map(\.name).contains("Mood"))
    #expect(registry.declaration(named: nested.displayName)?.id == nested.id)
    #expect(registry.declaration(nested.id)?.name == "Nested")
    #expect(registry.declaration(named: "Nested") == nil)
    #expect(registry.ids.contains(nested.id))
    let color = try #require(registry.enumeration(named: "Color"))
    #expect(color.enumerants.map(\.name) == ["red", "green", "blue"])
    #expect(color.enumerant(named: "blue")?.number == 2)
    #expect(color.enumerant(3) == nil)
    #expect(registry.structure(named: "Color") == nil)
    #expect(registry.constant(named: "Everything.Nested.title")?.value.text == "a \"quoted\"\ttitle")
  }

  @Test func constantsOfEveryKindAreRead() async throws {
    let registry = try await Fixture.interop("constants.capnp").registry
    try #require(registry.constant(named: "person")).value.read { value in
      guard case .structure(let person) = value else { throw Tool.Failure(description: value.kind) }
      let text = try person.text()
      #expect(
        text == "(name = \"constant\", value = -9, child = (name = \"inner\", value = 0, mood = calm), mood = wild)")
    }
    try #require(registry.constant(named: "Constants.grid")).value.read { value in
      guard case .list(let list) = value else { throw Tool.Failure(description: value.kind) }
      let text = try list.text()
      #expect(text == "[[true], [false, true]]")
    }
    try #require(registry.constant(named: "Constants.none")).value.read { value in
      guard case .list(let list) = value else { throw Tool.Failure(description: value.kind) }
      #expect(list.count == 0)
    }
  }

  @Test func interfacesDescribeTheirMethods() async throws {
    let registry = try await Fixture.written(
      """
      interface Base { ping @0 (); }
      interface Store(T) extends (Base) {
        put @0 (key :Text, value :T) -> (old :T);
        get @1 [U] (key :U) -> Found;
        struct Found { found @0 :Bool; }
      }
      """
    ).registry
    let store = try #require(registry.interface(named: "Store"))
    #expect(store.methods.map(\.name) == ["put", "get"])
    #expect(store.superclasses.map(\.declaration.name) == ["Base"])
    let put = try #require(store.method(named: "put"))
    #expect(put.parameters?.fields.map(\.name) == ["key", "value"])
    #expect(put.results?.fields.map { "\($0.type)" } == ["AnyPointer"])
    let get = try #require(store.method(named: "get"))
    #expect(get.number == 1)
    #expect(get.implicitParameters == ["U"])
    #expect(get.results?.name == "Found")
    #expect(registry.interface(named: "Base")?.method(named: "pong") == nil)
  }

  @Test func typeParametersAreBound() async throws {
    let registry = try await Fixture.interop("generics.capnp").registry
    let map = try #require(registry.structure(named: "Map"))
    #expect(map.declaration.parameters == ["Key", "Value"])
    #expect("\(try #require(map.field(named: "fallback")).type)" == "AnyPointer")
    let bound = try map.binding(.text, .list(.int32))
    #expect("\(try #require(bound.field(named: "fallback")).type)" == "List(Int32)")
    guard case .list(.structure(let entry)) = bound.field(named: "entries")?.type,
      case .structure(let inverse) = bound.field(named: "inverse")?.type
    else { throw Tool.Failure(description: "no entries") }
    #expect("\(try #require(entry.field(named: "key")).type)" == "Text")
    #expect("\(try #require(inverse.field(named: "fallback")).type)" == "Text")
    #expect(throws: ReflectionError.self) { try map.binding(.text) }
    #expect(throws: ReflectionError.self) { try map.binding(.text, .int8) }
  }

  @Test func generatedTypesCarryTheirSchemas() async throws {
    let embedded = try SchemaRegistry(Person.self)
    let person = try #require(embedded.structure(for: Person.self))
    let loaded = try await Fixture.own("people.capnp").structure("Person")
    #expect(person.id == loaded.id)
    #expect(person.fields.map(\.name) == loaded.fields.map(\.name))
    #expect(person.fields.map { "\($0.type)" } == loaded.fields.map { "\($0.type)" })
    #expect(person.annotations.map(\.value.text) == ["a person"])
    #expect(person.annotations.first?.declaration?.declaration.name == "label")
    #expect(person.annotations.first?.declaration?.applies(to: .field) == true)
    #expect(person.annotations.first?.declaration?.applies(to: .enumeration) == false)
    #expect(person.field(named: "age")?.annotations.map(\.value.text) == ["in years"])
    let fur = try #require(embedded.enumeration(named: "Person.Fur"))
    #expect(fur.enumerants.map(\.name) == ["short", "long"])
  }

  @Test func whatIsEmbeddedIsWhole() async throws {
    let embedded = try SchemaRegistry(Person.self)
    // A type parameter is bound anew on each level.
    var box = try #require(embedded.structure(named: "Person")?.field(named: "desk")?.type)
    for expected in ["Person", "Box", "Box"] {
      guard case .structure(let schema) = box else { throw Tool.Failure(description: "\(box)") }
      #expect("\(try #require(schema.field(named: "content")).type)" == expected)
      box = try #require(schema.field(named: "inner")).type
    }
    guard case .interface(let helper) = embedded.structure(named: "Person")?.field(named: "helper")?.type else {
      throw Tool.Failure(description: "no interface")
    }
    #expect(helper.superclasses.map(\.declaration.name) == ["Pinged"])
    let parameters = try #require(helper.method(named: "help")?.parameters)
    #expect(parameters.fields.map { "\($0.type)" } == ["Text", "Box"])

    // The schema language's own types, which mention nearly all there is, print a request as the tool does.
    let language = try #require(try SchemaRegistry(CodeGeneratorRequest.self).structure(for: CodeGeneratorRequest.self))
    let fixture = try await Fixture.language()
    let expected = try await fixture.convert("binary:text", "CodeGeneratorRequest", fixture.request)
    let text = try withMessage(fixture.request, language) { try $0.text(TextOptions(isPretty: true)) }
    #expect(text + "\n" == String(decoding: expected, as: UTF8.self))
  }
}
