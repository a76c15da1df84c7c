import CapnProto

/// The schema of messages that hold one container, and nothing else: what a channel of containers is opened for.
/// ```swift
/// typealias Prices = SharedRoot<SharedDictionary<SharedString, SharedArray<Double>>>
/// let channel = try await session.openChannel(Prices.self)
/// var message = try channel.makeMessage()
/// try message.root.set(["ACME": [10.5, 11.25]])
/// try await channel.notify(message)
/// ```
/// Such a message is a Cap'n Proto message whose root has one field, a `Data` with the container, in place. So it is lent,
/// returned, sent again and sent on as every message is, and both ends agree on the type when the channel is opened: its id
/// is made of the type's structure. Any other message can hold containers too, in its own `Data` fields: see
/// `OutputRawSpan.appendShared(_:)` and ``openShared(_:as:byteLimit:)``.
public enum SharedRoot<Value: SharedValue & ~Escapable>: StructSchema {
  /// Made of the structure of the type. A type that breaks its promise gets an id that no channel of an intact one has.
  public static var typeID: UInt64 { ((try? Fingerprint.of(Value.self)) ?? 0) | 1 << 63 }
  /// The structure of the type.
  public static var typeName: String { "SharedRoot<\((try? Value.structure()) ?? "unsuitable")>" }
  /// Containers have no schema of Cap'n Proto's.
  public static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }
  /// One `Data`.
  public static var size: StructSize { StructSize(dataWords: 0, pointers: 1) }

  /// A received container.
  public struct Reader: StructReader, ~Escapable {
    /// The struct that holds it.
    public let raw: RawStructReader

    /// The container in `raw`.
    @_lifetime(copy raw)
    public init(_ raw: RawStructReader) { self.raw = raw }

    /// The container, read in place.
    ///
    /// - Throws: ``SharedError`` when it is not one of this type.
    public var value: Value {
      @_lifetime(copy self) get throws(SharedError) { try open(byteLimit: nil) }
    }

    /// The container, read in place, in which `byteLimit` bytes may be followed; see ``openShared(_:as:byteLimit:)``.
    @_lifetime(copy self)
    public func open(byteLimit: Int?) throws(SharedError) -> Value {
      let bytes: RawSpan
      do { bytes = try raw.data(at: 0, field: "container") } catch { throw .message(error) }
      return try openShared(bytes, as: Value.self, byteLimit: byteLimit)
    }
  }

  /// A container to be built.
  public struct Builder: StructBuilder, ~Escapable {
    /// One `Data`.
    public static var size: StructSize { SharedRoot.size }
    /// The struct that holds it.
    public let raw: RawStructBuilder

    /// The container in `raw`.
    @_lifetime(copy raw)
    public init(_ raw: RawStructBuilder) { self.raw = raw }

    /// Writes `source`, in exactly the room that it needs: it is walked twice, and written once.
    ///
    /// A message without memory for it records the failure, as for every object.
    public func set(_ source: some SharedSource<Value>) throws {
      try build(capacity: sharedByteCount(of: source)) { builder in try builder.write(source) }
    }

    /// Builds the container in place.
    ///
    /// - Parameters:
    ///   - capacity: How many bytes it may take. What it does not take is given back to the message.
    ///   - body: Writes the parts, and returns the reference to the root.
    /// - Throws: ``SharedError/outOfRoom(byteCount:capacity:)`` and its kin, and what `body` throws; the message is empty then.
    public func build(
      capacity: Int, _ body: (inout SharedBuilder) throws -> SharedReference<Value>
    ) throws {
      guard capacity <= SharedRegion.byteLimit else {
        throw SharedError.tooLarge(byteCount: capacity, limit: SharedRegion.byteLimit)
      }
      try raw.initData(at: 0, byteCount: max(capacity, 0), field: "container") { output in
        try output.appendShared(body)
      }
    }
  }
}
