import CapnProto
import CapnProtoReflection
import Foundation
import Testing

@Suite struct DocumentationTests {
  @Test func theExamplesWork() async throws {
    let registry = try SchemaRegistry(Person.self)
    let schema = try #require(registry.structure(named: "Person"))
    for field in schema.fields { print(field.name, field.type) }

    let request = try await Tool.capnp(["compile", "-o-", try await Fixture.own("people.capnp").path])
    let loaded = try SchemaRegistry(codeGeneratorRequest: request)
    #expect(loaded.structure(named: "Person")?.id == schema.id)

    var message = try MessageBuilder(rootSize: schema.size)
    do {
      let person = DynamicStruct.Builder(message.root, schema)
      try person.set("name", to: "Ada")
      try person.set("age", to: 36)
      let friends = try person.initList("friends", count: 1)
      try friends.structure(0).set("name", to: "Grace")
    }
    try message.read { raw in
      let person = DynamicStruct.Reader(raw, schema)
      if case .text(let name) = try person["name"] { print(name) }
      let ada = try person.cast(to: Person.self)
      print(ada.age)
    }
    try message.read { raw in
      let person = DynamicStruct.Reader(raw, schema)
      try expectSame(schema, person) { copy in
        let text = try person.text()
        try copy.parse(text: text)
      }
      try expectSame(schema, person) { copy in
        let codec = JSONCodec(JSONOptions(isPretty: true))
        let json = try codec.encode(person)
        try codec.decode(json, into: copy)
      }
    }
  }

  private func expectSame(
    _ schema: Schema.Struct, _ person: borrowing DynamicStruct.Reader,
    _ fill: (borrowing DynamicStruct.Builder) throws -> Void
  ) throws {
    let bytes = try makeMessage(schema, fill)
    let (original, copy) = try (person.text(), withMessage(bytes, schema) { try $0.text() })
    #expect(original == copy)
  }

  /// Each line of the page's examples stands in the test above.
  @Test func thePageShowsWhatIsTested() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    let page = folder.deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Docs/capnproto-reflection.md")
    let source = try String(contentsOf: URL(filePath: #filePath), encoding: .utf8)
    let tested = Set(source.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
    var isExample = false
    var count = 0
    for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n") {
      if line.hasPrefix("```") {
        isExample = line == "```swift"
      } else if isExample {
        count += 1
        #expect(tested.contains(line.trimmingCharacters(in: .whitespaces)), "\(line)")
      }
    }
    #expect(count > 20)
  }
}
