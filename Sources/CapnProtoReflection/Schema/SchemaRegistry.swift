import CapnProto
import CapnProtoSchema

/// Checked schemas: structs, enums, interfaces, constants and annotations, with everything that they refer to. They come
/// from generated code, or from what the schema compiler wrote, which may come from anybody.
///
/// A registry never changes, and is cheap to copy. What it gives out (``Schema``) keeps what it needs of it.
public struct SchemaRegistry: Sendable {
  let storage: SchemaStorage

  /// The schemas of generated types, with everything that they mention.
  ///
  /// - Throws: ``SchemaError`` if one of them is not valid: then it was not the generator that wrote it.
  public init(_ schemas: [EmbeddedSchema]) throws(SchemaError) {
    var nodes: [UInt64: StoredNode] = [:]
    var pending = schemas
    while let schema = pending.popLast() {
      if nodes[schema.id] != nil { continue }
      let node = try Self.node(schema)
      nodes[node.id] = node
      // Should the ids differ, the walk still ends.
      nodes[schema.id] = node
      pending += schema.dependencies
    }
    guard nodes.allSatisfy({ $0 == $1.id }) else { throw SchemaError(.duplicateID) }
    storage = try SchemaStorage(nodes)
  }

  /// The schemas of generated types, with everything that they mention: `SchemaRegistry(Person.self)`.
  ///
  /// - Throws: ``SchemaError`` if one of them is not valid: then it was not the generator that wrote it.
  public init(_ types: any DeclaredSchema.Type...) throws(SchemaError) {
    try self.init(types.map { $0.embeddedSchema })
  }

  /// The schemas in a `CodeGeneratorRequest`: what `capnp compile -o-` writes.
  ///
  /// - Parameters:
  ///   - bytes: The message in stream framing.
  ///   - limits: What it may hold, and reading it may cost.
  /// - Throws: ``SchemaError`` if the message is malformed or its schemas are not valid.
  public init(codeGeneratorRequest bytes: RawSpan, limits: ReadLimits = .stream) throws(SchemaError) {
    var nodes: [UInt64: StoredNode] = [:]
    var duplicate: String?
    do throws(CapnProtoError) {
      let message = try MessageReader(CodeGeneratorRequest.self, stream: bytes, limits: limits)
      let request = try message.root
      let list = try request.nodes
      for index in list.indices {
        let node = try StoredNode(list[index])
        if nodes.updateValue(node, forKey: node.id) != nil { duplicate = node.label }
      }
    } catch {
      throw SchemaError(.message(error))
    }
    if let duplicate { throw SchemaError(.duplicateID, declaration: duplicate) }
    storage = try SchemaStorage(nodes)
  }

  /// The schemas in a `CodeGeneratorRequest`: what `capnp compile -o-` writes.
  ///
  /// - Throws: As the initialiser for spans.
  public init(codeGeneratorRequest bytes: [UInt8], limits: ReadLimits = .stream) throws(SchemaError) {
    // Sound: the bytes outlive the call.
    unsafe try self.init(codeGeneratorRequest: bytes.span.bytes, limits: limits)
  }

  private static func node(_ schema: EmbeddedSchema) throws(SchemaError) -> StoredNode {
    do throws(CapnProtoError) {
      return try node(schema.nodeWords)
    } catch {
      throw SchemaError(.message(error), declaration: "@0x\(String(schema.id, radix: 16))")
    }
  }

  private static func node(_ words: [UInt64]) throws(CapnProtoError) -> StoredNode {
    // Sound: the words outlive the call, and with it the reader.
    try unsafe words.span.bytes.withUnsafeBytes { (bytes) throws(CapnProtoError) -> StoredNode in
      let segments = unsafe try MessageSegments([bytes], limits: .inPlace(byteCount: bytes.count))
      return try StoredNode(segments.root(as: Node.self))
    }
  }

  /// The ids of all declarations, in no order.
  public var ids: [UInt64] { Array(storage.nodes.keys) }

  /// The declaration with that id; nil if there is none.
  public func declaration(_ id: UInt64) -> Schema.Declaration? {
    storage.nodes[id].map { Schema.Declaration(storage: storage, node: $0) }
  }

  /// The declaration of that name: as in `Outer.Inner`, or with the file, as in `dir/file.capnp:Outer.Inner`. Nil if there
  /// is none, or if several files declare it and the name says no file.
  public func declaration(named name: String) -> Schema.Declaration? {
    guard case .some(.some(let id)) = storage.idsByName[name] else { return nil }
    return declaration(id)
  }

  /// The struct with that id, its type parameters unbound; nil if there is none.
  public func structure(_ id: UInt64) -> Schema.Struct? { declaration(id)?.structure }

  /// The struct of that name (see ``declaration(named:)``), its type parameters unbound; nil if there is none.
  public func structure(named name: String) -> Schema.Struct? { declaration(named: name)?.structure }

  /// The struct that `schema` was generated from; nil if the registry does not have it.
  public func structure<Generated: StructSchema>(for schema: Generated.Type) -> Schema.Struct? {
    structure(schema.typeID)
  }

  /// The enum of that name (see ``declaration(named:)``); nil if there is none.
  public func enumeration(named name: String) -> Schema.Enum? { declaration(named: name)?.enumeration }

  /// The interface of that name (see ``declaration(named:)``); nil if there is none.
  public func interface(named name: String) -> Schema.Interface? { declaration(named: name)?.interface }

  /// The constant of that name (see ``declaration(named:)``); nil if there is none.
  public func constant(named name: String) -> Schema.Constant? { declaration(named: name)?.constant }
}

/// What all schemas of a registry share.
final class SchemaStorage: Sendable {
  let nodes: [UInt64: StoredNode]
  /// Ids by names with and without the file; nil where a name is not unique.
  let idsByName: [String: UInt64?]

  init(_ nodes: [UInt64: StoredNode]) throws(SchemaError) {
    try SchemaValidation(nodes: nodes).check()
    self.nodes = nodes
    var ids: [String: UInt64?] = [:]
    func add(_ name: String, _ id: UInt64) {
      ids[name] = ids[name] == nil ? .some(id) : .some(nil)
    }
    for node in nodes.values {
      add(node.displayName, node.id)
      if let colon = node.displayName.firstIndex(of: ":") {
        add(String(node.displayName[node.displayName.index(after: colon)...]), node.id)
      }
    }
    idsByName = ids
  }
}
