import CapnProto
import CapnProtoReflection
import Testing
import TestSupport

@Suite struct RobustnessTests {
  /// Some bits of `bytes` flipped, most of them in what points somewhere.
  private func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var copy = bytes
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      let index = Int.random(in: 8..<copy.count, using: &random)
      copy[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
    }
    return copy
  }

  /// All that can be done with a reader. Errors are fine; ends are what is tested.
  private func exercise(_ reader: borrowing DynamicStruct.Reader) -> Int {
    let limit = 1 << 16
    var printed = 0
    for isPretty in [false, true] {
      if let text = try? reader.text(TextOptions(isPretty: isPretty, byteLimit: limit)) { printed += text.utf8.count }
      let options = JSONOptions(isPretty: isPretty, byteLimit: limit)
      if let text = try? JSONCodec(options).encode(reader) { printed += text.utf8.count }
    }
    return printed
  }

  @Test func mutatedMessagesArePrintedOrRefused() async throws {
    let fixture = try await Fixture.interop("everything.capnp")
    let schema = try fixture.structure("Everything")
    let text = try Fixture.interopText("Oracle/everything.txt")
    let bytes = try await fixture.convert("text:binary", "Everything", text)
    var random = SeededGenerator(seed: 11)
    var (read, refused) = (0, 0)
    for _ in 0..<600 {
      let mutated = mutate(bytes, &random)
      let printed = try? withMessage(mutated, schema) { exercise($0) }
      #expect(printed ?? 0 <= 4 << 16)
      if printed ?? 0 > 0 { read += 1 } else { refused += 1 }
    }
    // Both happened, so that both were tested.
    #expect(read > 50)
    #expect(refused > 50)
  }

  @Test func mutatedSchemasAreLoadedOrRefused() async throws {
    let path = try await Fixture.interop("generics.capnp").path
    let bytes = try await Tool.capnp(["compile", "-o-", path])
    let message = try makeEmptyMessage()
    var random = SeededGenerator(seed: 12)
    var (loaded, refused) = (0, 0)
    for _ in 0..<400 {
      do {
        let registry = try SchemaRegistry(codeGeneratorRequest: mutate(bytes, &random))
        loaded += 1
        walk(registry, message)
      } catch {
        refused += 1
      }
    }
    #expect(loaded > 20)
    #expect(refused > 20)
  }

  private func makeEmptyMessage() throws -> [UInt8] {
    try MessageBuilder(rootSize: StructSize(dataWords: 4, pointers: 4)).serialized()
  }

  /// Looks at all that a registry says, and reads and writes with each struct of it.
  private func walk(_ registry: SchemaRegistry, _ message: [UInt8]) {
    for declaration in registry.ids.compactMap({ registry.declaration($0) }) {
      _ = (
        declaration.name, declaration.scope?.name, declaration.nested.count, declaration.annotations.map(\.value.type)
      )
      if let constant = declaration.constant { _ = try? constant.value.read { $0.kind } }
      for method in declaration.interface?.methods ?? [] { _ = (method.parameters?.name, method.results?.name) }
      guard let schema = declaration.structure else { continue }
      for field in schema.fields {
        _ = ("\(field.type)", field.offset)
        _ = try? field.defaultValue?.read { $0.kind }
      }
      _ = try? withMessage(message, schema) { reader in
        for field in schema.fields { _ = try? reader[field].kind }
        return exercise(reader)
      }
      _ = try? makeMessage(schema) { builder in
        for field in schema.fields {
          try? builder.set(field, to: 1)
          if let list = try? builder.initList(field, count: 2) { try? list.set(1, to: "x") }
          if let inner = try? builder.structure(field) { try? inner.set("value", to: 3) }
        }
      }
    }
  }

  @Test func listsWithoutSizeCostTheirCount() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Everything")
    let bytes = try makeMessage(schema) { _ = try $0.initList("voids", count: 1 << 28) }
    let limits = ReadLimits(traversalWords: 1 << 20, totalWords: 1 << 20)
    let error = #expect(throws: ReflectionError.self) {
      try withMessage(bytes, schema, limits: limits) { try $0.text() }
    }
    guard case .message(let cause) = error?.kind else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(cause.kind == .traversalLimitExceeded(limitWords: 1 << 20))
    #expect(error?.member == "voids")
  }

  @Test(arguments: ["", "@0xb3a1f0c4d5e69782;"])
  func whatIsNoSchemaIsRefused(_ text: String) {
    #expect(throws: SchemaError.self) { try SchemaRegistry(codeGeneratorRequest: Array(text.utf8)) }
  }
}
