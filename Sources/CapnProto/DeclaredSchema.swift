/// What the code generator makes of a declaration of a schema: a struct, group, enum, interface, annotation or file.
public protocol DeclaredSchema {
  /// The declaration's 64-bit id.
  static var typeID: UInt64 { get }
  /// Where it was declared, as in `cache.capnp:Cache`.
  static var typeName: String { get }
  /// The declaration itself, which reflection reads.
  static var embeddedSchema: EmbeddedSchema { get }
}
