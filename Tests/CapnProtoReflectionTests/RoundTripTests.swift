import CapnProto
import CapnProtoReflection
import Testing

@Suite struct RoundTripTests {
  private static let types = [
    ("everything.capnp", "Everything"), ("everything.capnp", "Unions"), ("everything.capnp", "Defaults"),
    ("everything.capnp", "Tree"), ("generics.capnp", "Registry"), ("evolution-new.capnp", "New.Record"),
  ]

  @Test(arguments: types)
  func valuesSurviveTheTextForm(_ file: String, _ type: String) async throws {
    let schema = try await Fixture.interop(file).structure(type)
    for seed in 0..<40 {
      let (canonical, text, pretty) = try random(schema, UInt64(seed)) { reader in
        try (reader.raw.canonicalized(), reader.text(), reader.text(TextOptions(isPretty: true)))
      }
      for text in [text, pretty] {
        let bytes = try makeMessage(schema) { try $0.parse(text: text) }
        let copy = try withMessage(bytes, schema) { try $0.raw.canonicalized() }
        #expect(copy == canonical, "seed \(seed): \(text)")
      }
    }
  }

  @Test(arguments: types)
  func valuesSurviveJSON(_ file: String, _ type: String) async throws {
    let schema = try await Fixture.interop(file).structure(type)
    let (codec, pretty) = (JSONCodec(), JSONCodec(JSONOptions(isPretty: true, hasMode: .nonDefault)))
    for seed in 0..<40 {
      let (canonical, texts) = try random(schema, UInt64(seed)) { reader in
        try (reader.raw.canonicalized(), [codec.encode(reader), pretty.encode(reader)])
      }
      for text in texts {
        let bytes = try makeMessage(schema) { try codec.decode(text, into: $0) }
        let copy = try withMessage(bytes, schema) { try $0.raw.canonicalized() }
        #expect(copy == canonical, "seed \(seed): \(text)")
      }
    }
  }

  /// A message of random values.
  private func random<Result>(
    _ schema: Schema.Struct, _ seed: UInt64, _ body: (borrowing DynamicStruct.Reader) throws -> Result
  ) throws -> Result {
    var filler = RandomFiller(seed: seed)
    let bytes = try makeMessage(schema) { try filler.fill($0) }
    return try withMessage(bytes, schema, body)
  }

  /// Values that are copied field by field are the same.
  @Test(arguments: types)
  func valuesSurviveACopyFieldByField(_ file: String, _ type: String) async throws {
    let schema = try await Fixture.interop(file).structure(type)
    for seed in 0..<20 {
      let same = try random(schema, UInt64(seed)) { reader in
        let canonical = try reader.raw.canonicalized()
        let bytes = try makeMessage(schema) { copy in
          for field in schema.fields where try reader.has(field) { try copy.set(field.name, copying: reader[field]) }
        }
        return try withMessage(bytes, schema) { try $0.raw.canonicalized() } == canonical
      }
      #expect(same, "seed \(seed)")
    }
  }
}
