import CapnProto
import CapnProtoReflection
import Testing

/// Schemas that the schema compiler would not write, made by changing what it wrote, with reflection itself.
@Suite struct DamagedSchemaTests {
  /// What loading the schema `text` says after `change` was applied to the node called `name`.
  private func load(
    _ text: String, _ name: String, _ change: (borrowing DynamicStruct.Builder) throws -> Void
  ) async throws -> SchemaError? {
    let language = try await Fixture.language()
    let schema = try language.structure("CodeGeneratorRequest")
    let request = try await Fixture.written(text).request
    let bytes = try makeMessage(schema) { root in
      try withMessage(request, schema) { original in
        for field in schema.fields where try original.has(field) { try root.set(field, copying: original[field]) }
      }
      let nodes = try root.list("nodes")
      for index in nodes.indices {
        let node = try nodes.structure(index)
        if case .text(let full) = try node.asReader["displayName"], full.hasSuffix(":\(name)") { try change(node) }
      }
    }
    do {
      _ = try SchemaRegistry(codeGeneratorRequest: bytes)
      return nil
    } catch {
      return error
    }
  }

  private let plain = "struct A { x @0 :UInt32; y @1 :Text; } struct B { a @0 :A; }"
  private let grouped = "struct A { g :group { x @0 :UInt8; h :group { y @1 :UInt8; } } z @2 :UInt8; }"
  private let union = "struct A { union { x @0 :UInt8; y @1 :UInt16; z @2 :Void; } }"

  /// Changes the field at `index` of a struct's node.
  private func field(
    _ node: borrowing DynamicStruct.Builder, _ index: Int, _ change: (borrowing DynamicStruct.Builder) throws -> Void
  ) throws {
    let structure = try node.structure("struct")
    let fields = try structure.list("fields")
    let field = try fields.structure(index)
    try change(field)
  }

  @Test func anUnchangedSchemaIsLoaded() async throws {
    for text in [plain, grouped, union] { #expect(try await load(text, "A") { _ in } == nil) }
  }

  @Test func offsetsAreWithinTheirSections() async throws {
    let data = try await load(plain, "A") { try field($0, 0) { try $0.structure("slot").set("offset", to: 2) } }
    #expect(data?.kind == .outsideOfSection(offset: 2, size: StructSize(dataWords: 1, pointers: 1)))
    #expect(data?.member == "x")
    let pointer = try await load(plain, "A") {
      try field($0, 1) { try $0.structure("slot").set("offset", to: 0xFFFF_FFFF) }
    }
    #expect(pointer?.kind == .outsideOfSection(offset: 0xFFFF_FFFF, size: StructSize(dataWords: 1, pointers: 1)))
  }

  @Test func namesAndPlacesAreUnique() async throws {
    let name = try await load(plain, "A") { try field($0, 1) { try $0.set("name", to: "x") } }
    #expect(name?.kind == .duplicateName)
    let order = try await load(plain, "A") { try field($0, 1) { try $0.set("codeOrder", to: 0) } }
    #expect(order?.kind == .invalidCodeOrder(0))
    let far = try await load(plain, "A") { try field($0, 1) { try $0.set("codeOrder", to: 9) } }
    #expect(far?.kind == .invalidCodeOrder(9))
  }

  @Test func unionsAreWhole() async throws {
    for (name, value) in [("discriminantCount", 1), ("discriminantCount", 2), ("discriminantOffset", 4)] {
      let error = try await load(union, "A") { try $0.structure("struct").set(name, to: .int(Int64(value))) }
      #expect(error?.kind == .invalidUnion, "\(name)")
    }
    let member = try await load(union, "A") { try field($0, 2) { try $0.set("discriminantValue", to: 1) } }
    #expect(member?.kind == .invalidUnion)
  }

  @Test func referencesLeadToWhatTheySay() async throws {
    let missing = try await load(plain, "B") {
      try field($0, 0) { try $0.structure("slot").structure("type").structure("struct").set("typeId", to: 5) }
    }
    #expect(missing?.kind == .unknownDeclaration(5))
    let kind = try await load(plain, "B") { node in
      try field(node, 0) { field in
        let type = try field.structure("slot").structure("type")
        guard case .structure(let old) = try type.asReader["struct"], case .uint(let id) = try old["typeId"] else {
          return
        }
        try type.initStruct("enum").set("typeId", to: .uint(id))
      }
    }
    guard case .wrongKind(_, expected: .enumeration, found: .structure) = kind?.kind else {
      Issue.record("\(String(describing: kind))")
      return
    }
  }

  @Test func valuesAreOfTheirTypes() async throws {
    let error = try await load(plain, "A") {
      try field($0, 0) { try $0.structure("slot").structure("defaultValue").set("uint8", to: 1) }
    }
    #expect(error?.kind == .valueMismatch)
  }

  @Test func groupsBelongToTheirStructs() async throws {
    let shared = try await load(grouped, "A.g") { try $0.set("scopeId", to: 5) }
    guard case .invalidGroup = shared?.kind else {
      Issue.record("\(String(describing: shared))")
      return
    }
    let cycle = try await load(grouped, "A.g") { node in
      guard case .uint(let id) = try node.asReader["id"] else { return }
      try field(node, 1) { try $0.structure("group").set("typeId", to: .uint(id)) }
    }
    guard case .invalidGroup = cycle?.kind else {
      Issue.record("\(String(describing: cycle))")
      return
    }
    let alone = try await load(grouped, "A.g") { node in
      // A group that no field leads to, in itself.
      guard case .uint(let id) = try node.asReader["id"] else { return }
      try node.set("scopeId", to: .uint(id))
    }
    guard case .invalidGroup = alone?.kind else {
      Issue.record("\(String(describing: alone))")
      return
    }
  }

  @Test func whatTheLanguageDoesNotKnowIsNamed() async throws {
    let node = try await load(plain, "A") { $0.raw.store(UInt16(77), at: 6) }
    #expect(node?.kind == .unsupported(what: "declaration kind", number: 77))
    let type = try await load(plain, "A") {
      try field($0, 0) { try $0.structure("slot").structure("type").raw.store(UInt16(78), at: 0) }
    }
    #expect(type?.kind == .unsupported(what: "type", number: 78))
    let prefix = try await load(plain, "A") { try $0.set("displayNamePrefixLength", to: 5000) }
    #expect(prefix?.kind == .invalidDisplayName)
  }

  @Test func typeParametersExistAndAreBoundToPointers() async throws {
    let generic = "struct A(T) { x @0 :T; } struct B { a @0 :A(Text); }"
    let parameter = try await load(generic, "A") {
      try field($0, 0) {
        try $0.structure("slot").structure("type").structure("anyPointer").structure("parameter")
          .set("parameterIndex", to: 1)
      }
    }
    guard case .unknownParameter(_, index: 1) = parameter?.kind else {
      Issue.record("\(String(describing: parameter))")
      return
    }
    let scalar = try await load(generic, "B") {
      try field($0, 0) {
        let brand = try $0.structure("slot").structure("type").structure("struct").structure("brand")
        let binding = try brand.list("scopes").structure(0).list("bind").structure(0)
        try binding.initStruct("type").set("int8", to: .void)
      }
    }
    guard case .boundToScalar(_, index: 0) = scalar?.kind else {
      Issue.record("\(String(describing: scalar))")
      return
    }
  }
}
