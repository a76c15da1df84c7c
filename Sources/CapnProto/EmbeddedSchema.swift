/// The schema of one generated declaration: a struct, enum, interface, constant, annotation or file. Reflection reads it.
///
/// Generated code holds one for each declaration. Making it costs nothing: `node` and `dependencies` are evaluated when
/// somebody asks for them.
public struct EmbeddedSchema: Sendable {
  /// The declaration's 64-bit id.
  public let id: UInt64
  /// A `Node` of `schema.capnp` as a message of one segment without its framing, its root pointer first.
  public var nodeWords: [UInt64] { words() }
  /// The schemas of the declarations that this one mentions: its groups, the types of its fields, what it is nested in is
  /// not among them. May lead back here.
  public var dependencies: [EmbeddedSchema] { others() }

  private let words: @Sendable () -> [UInt64]
  private let others: @Sendable () -> [EmbeddedSchema]

  /// For generated code.
  public init(
    id: UInt64, nodeWords: @escaping @Sendable () -> [UInt64],
    dependencies: @escaping @Sendable () -> [EmbeddedSchema] = { [] }
  ) {
    self.id = id
    words = nodeWords
    others = dependencies
  }
}
