import CapnProto

/// What an application says about itself as it opens a session, or about a channel as it opens that: bytes of its own
/// making, or a Cap'n Proto struct.
public struct Metadata: Sendable, Hashable {
  /// Most bytes, a struct's framing included.
  public static let byteCountLimit = 16_384
  /// Nothing.
  public static let none = Metadata([])

  /// The schema id of the struct in ``bytes``; 0 if it is none.
  public let typeID: UInt64
  /// The bytes; those of a struct in Cap'n Proto's stream framing.
  public let bytes: [UInt8]

  /// Bytes of the application's own making.
  public init(_ bytes: some Sequence<UInt8>) {
    self.init(typeID: 0, bytes: Array(bytes))
  }

  /// A struct; the message is copied.
  ///
  /// - Throws: `CapnProtoError` when the message could not be built.
  public init<Root: StructSchema>(_ message: borrowing MessageBuilder<Root>) throws(CapnProtoError) {
    self.init(typeID: Root.typeID, bytes: try message.serialized())
  }

  /// What arrived.
  package init(typeID: UInt64, bytes: [UInt8]) {
    self.typeID = typeID
    self.bytes = bytes
  }

  /// The struct of the given type.
  ///
  /// - Throws: ``MetadataError``: it is of another type, or malformed.
  public func message<Root: StructSchema>(as root: Root.Type) throws(MetadataError) -> MessageReader<Root> {
    guard typeID == Root.typeID else { throw .otherType(found: typeID, expected: Root.typeID) }
    do {
      return try MessageReader(stream: bytes)
    } catch {
      throw .malformed(error)
    }
  }
}

/// Why metadata is not what was expected.
public enum MetadataError: Error, Sendable, CustomStringConvertible {
  /// A struct of another type, or none at all (0).
  case otherType(found: UInt64, expected: UInt64)
  /// Not a message.
  case malformed(CapnProtoError)

  /// One line for people.
  public var description: String {
    switch self {
    case .otherType(let found, let expected):
      "metadata of type \(String(found, radix: 16)), expected \(String(expected, radix: 16))"
    case .malformed(let error): "malformed metadata: \(error)"
    }
  }
}
