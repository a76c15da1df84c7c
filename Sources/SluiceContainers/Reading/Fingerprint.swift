import Synchronization

/// What tells container types apart: a hash of their structure, the same in all programs.
@usableFromInline
enum Fingerprint {
  /// Known ones, by type. There are no more than types in the program.
  private static let known = Mutex<[ObjectIdentifier: UInt64]>([:])

  /// The fingerprint of a type, which is computed once.
  @usableFromInline
  static func of<Value: SharedValue & ~Escapable>(_ type: Value.Type) throws(SharedError) -> UInt64 {
    let id = ObjectIdentifier(type)
    if let found = known.withLock({ $0[id] }) { return found }
    var structure = try Value.structure()
    let value = structure.withUTF8 { text in
      // A fixed key: this hash is no secret.
      unsafe KeyedHash(0x736c_7569_6365, 0x7368_6172_6564).of(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(text)))
    }
    known.withLock { $0[id] = value }
    return value
  }
}
