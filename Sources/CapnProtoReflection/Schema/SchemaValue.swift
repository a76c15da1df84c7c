import CapnProto

extension Schema {
  /// A value that a schema gives: a constant, a default, or what an annotation says.
  public struct Value: Sendable {
    /// The value's type.
    public var type: ValueType { storage.resolve(storedType, in: nil) }
    let storedType: StoredType
    let stored: StoredValue
    let storage: SchemaStorage

    init(_ type: StoredType, _ stored: StoredValue, _ storage: SchemaStorage) {
      storedType = type
      self.stored = stored
      self.storage = storage
    }

    /// The text; nil if this is something else.
    public var text: String? {
      guard case .text(let text) = stored else { return nil }
      return text
    }

    /// Calls `body` with the value: lists and structs are read in place.
    ///
    /// - Throws: What `body` throws, or a ``ReflectionError`` if the value is malformed, which its schema's message may be.
    public func read<Result>(_ body: (borrowing DynamicValue) throws -> Result) throws -> Result {
      // Sound: this value keeps the memory of what it leads to for as long as `body` runs.
      try withExtendedLifetime(self) { try body(unsafe unownedValue()) }
    }

    @unsafe @_lifetime(immortal)
    private func unownedValue() throws(ReflectionError) -> DynamicValue {
      let type = type
      switch stored {
      case .void, .unknown: return .void
      case .bool(let value): return .bool(value)
      case .scalar(_, let bits): return DynamicValue(bits: bits, as: type)
      case .text(let text): return .text(text)
      case .interface: return .capability(DynamicCapability(index: nil))
      case .pointer(_, let owned): return try unsafe unownedValue(owned ?? .null, type)
      }
    }

    @unsafe @_lifetime(immortal)
    private func unownedValue(_ owned: OwnedPointer, _ type: ValueType) throws(ReflectionError) -> DynamicValue {
      do throws(CapnProtoError) {
        return try unsafe DynamicValue(owned.unownedPointer, as: type)
      } catch {
        throw ReflectionError(.message(error), type: "\(type)")
      }
    }
  }
}
