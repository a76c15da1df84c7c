/// What methods declared with `-> stream` answer: nothing. It is the struct of that name in `/capnp/stream.capnp`, here so
/// that nobody needs to generate code for that file.
public enum StreamResult: StructSchema {
  /// The schema's 64-bit id.
  public static var typeID: UInt64 { 0x995f_9a33_77c0_b16e }
  /// Where it was declared.
  public static var typeName: String { "capnp/stream.capnp:StreamResult" }
  /// No fields.
  public static var size: StructSize { StructSize(dataWords: 0, pointers: 0) }
  /// The declaration itself.
  public static var embeddedSchema: EmbeddedSchema {
    EmbeddedSchema(
      id: typeID,
      packedNode: """
        UAQC/26xwHczml+ZABETAf/485MTqWbDhgAEBzEFAgEREQf/Y2FwbnAvc3QDcmVhbS5jYXBucDpTdHJlYW1SZXN1bHQAAAA=
        """)
  }

  /// Reads nothing.
  public struct Reader: StructReader, ~Escapable {
    /// The struct, untyped.
    public let raw: RawStructReader
    /// The typed view of `raw`.
    @_lifetime(copy raw)
    public init(_ raw: RawStructReader) { self.raw = raw }
  }

  /// Writes nothing.
  public struct Builder: StructBuilder, ~Escapable {
    /// No fields.
    public static var size: StructSize { StreamResult.size }
    /// The struct, untyped.
    public let raw: RawStructBuilder
    /// The typed view of `raw`.
    @_lifetime(copy raw)
    public init(_ raw: RawStructBuilder) { self.raw = raw }
  }
}
