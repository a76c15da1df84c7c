/// The schema of one generated declaration: a struct, group, enum, interface, constant, annotation or file. Reflection
/// reads it.
///
/// Generated code holds one for each declaration. Making it costs nothing: ``nodeWords`` and ``dependencies`` are evaluated
/// when somebody asks for them.
public struct EmbeddedSchema: Sendable {
  /// The declaration's 64-bit id.
  public let id: UInt64
  /// A `Node` of `schema.capnp` as a message of one segment without its framing, its root pointer first. Decoded anew each
  /// time.
  public var nodeWords: [UInt64] { words() }
  /// The schemas of the declarations that this one mentions: what is declared in it, its groups, the types of its fields,
  /// the parameters and results of its methods, the annotations applied to it and to its members. What it is nested in is
  /// not among them. May lead back here.
  public var dependencies: [EmbeddedSchema] { others() }

  private let words: @Sendable () -> [UInt64]
  private let others: @Sendable () -> [EmbeddedSchema]

  /// A schema whose node is `nodeWords`.
  public init(
    id: UInt64, nodeWords: @escaping @Sendable () -> [UInt64],
    dependencies: @escaping @Sendable () -> [EmbeddedSchema] = { [] }
  ) {
    self.id = id
    words = nodeWords
    others = dependencies
  }

  /// For generated code: a schema whose node is packed, and written in base 64. A literal of text costs the compiler
  /// less than one of numbers, and a program only its bytes. What is malformed decodes to no words.
  public init(
    id: UInt64, packedNode: StaticString, dependencies: @escaping @Sendable () -> [EmbeddedSchema] = { [] }
  ) {
    self.init(id: id, nodeWords: { Self.words(packed: packedNode) }, dependencies: dependencies)
  }

  private static func words(packed text: StaticString) -> [UInt64] {
    guard let packed = Base64.decode(text.description) else { return [] }
    // Nodes are as large as the schema compiler makes them: the limit only names what a packed byte can grow to.
    guard let bytes = try? unsafe PackedDecoder.decode(packed.span.bytes, wordLimit: packed.count * 256) else {
      return []
    }
    return stride(from: 0, to: bytes.count & ~7, by: 8).map { start in
      (0..<8).reduce(0) { word, index in word | UInt64(bytes[start + index]) << UInt64(8 * index) }
    }
  }
}
