import CapnProto
import CapnProtoSchema
import Testing

/// Schemas embedded in generated code, against what the schema compiler says.
@Suite struct EmbeddedSchemaTests {
  /// All schemas that `roots` lead to, by id, as canonical messages.
  private static func closure(_ roots: [EmbeddedSchema]) throws -> [UInt64: [UInt64]] {
    var found: [UInt64: [UInt64]] = [:]
    var pending = roots
    while let schema = pending.popLast() {
      let words = schema.nodeWords
      if let known = found.updateValue(words, forKey: schema.id) {
        // Annotations of files that no code is generated for may be held several times.
        #expect(known == words)
      } else {
        pending += schema.dependencies
      }
    }
    return found
  }

  /// The nodes of a request, canonical, by id, with their names.
  private static func request(for files: [String]) async throws -> [UInt64: (name: String, words: [UInt64])] {
    let bytes = try await Tool.output(
      Tool.capnp, ["compile", "-o-", "--src-prefix=\(Tool.sources.path)/"] + files.map(Tool.schema))
    let message = try MessageReader(CodeGeneratorRequest.self, stream: bytes, limits: .inPlace(byteCount: bytes.count))
    return try message.read { request in
      var nodes: [UInt64: (name: String, words: [UInt64])] = [:]
      let list = try request.nodes
      for index in list.indices {
        let bytes = try list[index].raw.canonicalized()
        nodes[list[index].id] = (try list[index].displayName, words(bytes))
      }
      return nodes
    }
  }

  private static func words(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count, by: 8).map { start in
      (0..<8).reduce(0) { word, index in word | UInt64(bytes[start + index]) << UInt64(8 * index) }
    }
  }

  @Test("every node of the schemas is embedded, and as the schema compiler wrote it")
  func wholeFiles() async throws {
    let request = try await Self.request(
      for: ["everything.capnp", "generics.capnp", "names.capnp", "service.capnp", "constants.capnp"])
    let embedded = try Self.closure([
      SchemaFile_e5a3c1d7b9f20461.embeddedSchema, SchemaFile_8e3d5f7a1c6b9240.embeddedSchema,
      SchemaFile_b6f4d2903e1a5c78.embeddedSchema, SchemaFile_f02c9a65d8b7e143.embeddedSchema,
      SchemaFile_d49a1c6e02b7f853.embeddedSchema,
    ])
    for (id, node) in request where node.name.hasPrefix("Schemas/") && !node.name.hasSuffix("imported.capnp") {
      let isSame = embedded[id] == node.words
      #expect(isSame, "\(node.name) is \(embedded[id] == nil ? "missing" : "different")")
    }
  }

  @Test("a type leads to its groups, to the types of its fields and to annotations")
  func dependencies() throws {
    let ids = Set(Unions.embeddedSchema.dependencies.map(\.id))
    #expect(ids.isSuperset(of: [Color.typeID, Everything.Nested.typeID, Unions.Pair.typeID, Unions.Named.typeID]))
    #expect(Unions.embeddedSchema.id == Unions.typeID)
    #expect(try Self.closure([Tree.embeddedSchema]).keys.contains(Tree.typeID))
    // $Cxx.namespace, whose file no code is generated for.
    #expect(SchemaFile_e5a3c1d7b9f20461.embeddedSchema.dependencies.contains { $0.id == 0xb9c6_f99e_bf80_5f2c })
  }

  @Test("a type's schema reads as a Node")
  func node() throws {
    let words = Everything.Nested.Mood.embeddedSchema.nodeWords
    let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    let stream: [UInt8] = [0, 0, 0, 0] + withUnsafeBytes(of: UInt32(words.count).littleEndian) { Array($0) } + bytes
    let message = try MessageReader(Node.self, stream: stream)
    try message.read { node in
      #expect(try node.displayName == "Schemas/everything.capnp:Everything.Nested.Mood")
      let enumeration = try node.enum
      #expect(try enumeration.enumerants.count == 2)
    }
  }

  @Test("malformed text embeds no words")
  func malformed() {
    #expect(EmbeddedSchema(id: 1, packedNode: "").nodeWords == [])
    #expect(EmbeddedSchema(id: 1, packedNode: "/").nodeWords == [])
    // A tag that announces two bytes, which do not follow.
    #expect(EmbeddedSchema(id: 1, packedNode: "Aw==").nodeWords == [])
  }
}
