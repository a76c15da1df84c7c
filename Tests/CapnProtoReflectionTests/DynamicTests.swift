import CapnProto
import CapnProtoReflection
import Testing

@Suite struct DynamicTests {
  private func people() throws -> Schema.Struct {
    try #require(try SchemaRegistry(Person.self).structure(for: Person.self))
  }

  @Test func whatGeneratedCodeWroteIsReadByName() throws {
    let schema = try people()
    var message = try MessageBuilder(Person.self)
    do {
      let ada = message.root
      ada.name = "Ada"
      ada.age = 36
      let friends = ada.initFriends(2)
      friends[1].name = "Grace"
      let cat = ada.pet.initCat()
      cat.name = "Tom"
      cat.fur = .long
    }
    try message.read { root in
      let ada = try DynamicStruct.Reader(root, of: Person.self, schema)
      guard case .text("Ada") = try ada["name"], case .uint(36) = try ada["age"],
        case .list(let friends) = try ada["friends"], case .structure(let grace) = try friends[1],
        case .text("Grace") = try grace["name"], case .text("nobody") = try friends.first("name"),
        case .structure(let pet) = try ada["pet"], case .structure(let cat) = try pet["cat"],
        case .enumeration(let fur) = try cat["fur"]
      else { throw Tool.Failure(description: "values differ") }
      #expect(friends.count == 2)
      #expect(fur.enumerant?.name == "long")
      #expect(pet.which?.name == "cat")
      let members = try [pet.has("cat"), pet.has("fish"), pet.has("none")]
      #expect(members == [true, false, false])
      let ages = try [ada.has("age", .nonDefault), grace.has("age", .nonDefault), grace.has("age"), ada.has("motto")]
      #expect(ages == [true, false, true, false])
      // Defaults.
      guard case .list(let motto) = try ada["motto"], case .text("learn") = try motto[1],
        case .structure(let home) = try ada["home"], case .text("Bern") = try home["city"]
      else { throw Tool.Failure(description: "defaults differ") }
      let same = try grace.cast(to: Person.self)
      let name = try same.name
      #expect(name == "Grace")
    }
  }

  @Test func whatIsWrittenByNameIsReadByGeneratedCode() throws {
    let schema = try people()
    var message = try MessageBuilder(Person.self)
    do {
      let ada = DynamicStruct.Builder(message.root.raw, schema)
      try ada.set("name", to: "Ada")
      try ada.set("age", to: 36)
      let friends = try ada.initList("friends", count: 1)
      try friends.structure(0).set("name", to: "Grace")
      let cat = try ada.structure("pet").initStruct("cat")
      try cat.set("fur", to: "long")
      // What has a default begins as a copy of it.
      let motto = try ada.list("motto")
      #expect(motto.count == 2)
      try motto.set(0, to: "love")
      try ada.structure("home").set("city", to: .text("Basel"))
    }
    try message.read { ada in
      #expect(try ada.name == "Ada")
      #expect(ada.age == 36)
      let grace = try ada.friends[0]
      #expect(try grace.name == "Grace")
      guard case .cat(let cat) = try ada.pet.which else { throw Tool.Failure(description: "no cat") }
      #expect(cat.fur == .long)
      #expect(try ada.motto.array == ["love", "learn"])
      let home = try ada.home
      #expect(try home.city == "Basel")
    }
  }

  @Test func unionsSwitchAndClear() throws {
    let schema = try people()
    let bytes = try makeMessage(schema) { person in
      let pet = try person.structure("pet")
      try pet.set("fish", to: 5)
      #expect(pet.which?.name == "fish")
      try pet.structure("cat").set("name", to: "Tom")
      #expect(pet.which?.name == "cat")
      _ = try person.initStruct("pet")
      #expect(pet.which?.name == "none")
      let offset = try #require(pet.schema.field(named: "cat")?.offset)
      let isThere = pet.raw.hasPointer(at: offset)
      #expect(!isThere)
    }
    let expected = ReflectionError(.notSet(active: "none"), type: schema.displayName + ".pet", member: "cat")
    #expect(throws: expected) {
      try withMessage(bytes, schema) { person in
        guard case .structure(let pet) = try person["pet"] else { return }
        _ = try pet["cat"]
      }
    }
  }

  @Test func valuesAreCopiedAndMoved() throws {
    let schema = try people()
    let source = try makeMessage(schema) { person in
      try person.set("name", to: "Ada")
      try person.initList("friends", count: 1).structure(0).set("name", to: "Grace")
      try person.structure("home").set("city", to: "London")
    }
    let copy = try withMessage(source, schema) { original in
      try makeMessage(schema) { person in
        for field in schema.fields where try original.has(field) && !field.isGroup && field.name != "friends" {
          try person.set(field.name, copying: original[field])
        }
        let home = try person.disown("home")
        let isThere = try person.asReader.has("home")
        #expect(!isThere)
        try person.adopt(home, "home")
      }
    }
    try withMessage(copy, schema) { person in
      let text = try person.text()
      #expect(text == "(name = \"Ada\", age = 0, pet = (none = void), home = (city = \"London\"))")
    }
  }

  /// What `body` throws when it is called with a new person.
  private func error(_ body: (borrowing DynamicStruct.Builder) throws -> Void) throws -> ReflectionError? {
    do {
      _ = try makeMessage(try people(), body)
      return nil
    } catch let error as ReflectionError {
      return error
    }
  }

  @Test func mistakesAreErrorsThatNameTypeAndField() throws {
    let person = try people().displayName
    let cat = try #require(try SchemaRegistry(Person.self).structure(named: "Person.Cat"))
    func expect(
      _ kind: ReflectionError.Kind, _ member: String?, _ body: (borrowing DynamicStruct.Builder) throws -> Void
    ) throws {
      #expect(try error(body) == ReflectionError(kind, type: person, member: member))
    }
    try expect(.noSuchMember("nobody"), nil) { try $0.set("nobody", to: 1) }
    try expect(.wrongType(expected: "UInt8", found: "Text"), "age") { try $0.set("age", to: "x") }
    try expect(.outOfRange(value: "256", type: "UInt8"), "age") { try $0.set("age", to: 256) }
    try expect(.outOfRange(value: "-1", type: "UInt8"), "age") { try $0.set("age", to: -1) }
    try expect(.outOfRange(value: "0.5", type: "UInt8"), "age") { try $0.set("age", to: 0.5) }
    try expect(.wrongType(expected: "Text", found: "an integer"), "name") { try $0.set("name", to: 5) }
    try expect(.wrongType(expected: "a list", found: "Text"), "name") { _ = try $0.initList("name", count: 1) }
    try expect(.wrongType(expected: "a struct", found: "Text"), "name") { _ = try $0.structure("name") }
    try expect(.wrongType(expected: "a pointer", found: "UInt8"), "age") { _ = try $0.pointer("age") }
    try expect(.foreignField(of: cat.displayName), "fur") { try $0.set(cat.fields[1], to: 1) }
    try expect(.foreignField(of: cat.displayName), "fur") { _ = try $0.asReader[cat.fields[1]] }
    let cast = try error { _ = try $0.cast(to: Person.Cat.self) }
    #expect(cast?.kind == .wrongSchema(expected: Person.Cat.typeID, found: Person.typeID))
    let bald = try error { try $0.structure("pet").initStruct("cat").set("fur", to: "bald") }
    #expect(bald == ReflectionError(.noSuchEnumerant("bald"), type: cat.displayName, member: "fur"))
  }

  @Test func aFailedWriteLeavesTheUnionAsItIs() throws {
    _ = try makeMessage(try people()) { person in
      let pet = try person.structure("pet")
      do { try pet.set("fish", to: "x") } catch is ReflectionError {}
      #expect(pet.which?.name == "none")
    }
  }

  @Test func pointersOfAnyTypeAndCapabilitiesAreKept() async throws {
    let fixture = try await Fixture.interop("everything.capnp")
    let schema = try fixture.structure("Anything")
    let bytes = try makeMessage(schema) { root in
      try root.pointer("any").setText("inside")
      try root.pointer("anyStruct").setCapability(index: 3)
    }
    try withMessage(bytes, schema) { root in
      guard case .anyPointer(let any) = try root["any"] else { throw Tool.Failure(description: "no pointer") }
      let inside = try any.asText()
      #expect(inside == "inside")
      let text = try root.text()
      #expect(text == "(any = <opaque pointer>, anyStruct = <opaque pointer>)")
    }
  }
}

extension DynamicList.Reader {
  /// The field `name` of the first element.
  @_lifetime(copy self)
  fileprivate func first(_ name: String) throws -> DynamicValue {
    guard case .structure(let first) = try self[0] else { return .void }
    return try first[name]
  }
}
