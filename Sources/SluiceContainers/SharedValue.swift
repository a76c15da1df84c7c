/// What can stand in shared memory: plain values (``PlainBits``), and the containers of this module.
///
/// A value has a *slot*: its fixed-size part, which stands in an array, a dictionary, a list, or at the root. The slot of a
/// plain value is the value; that of a container says where its elements stand, counted from the beginning of the
/// container's memory, and how many they are. So no address stands in shared memory, and a container can be mapped, copied
/// and stored anywhere.
///
/// Programs conform their own structs to ``PlainBits``, not to this.
public protocol SharedValue: ~Escapable {
  /// The size of the slot in bytes.
  static var slotByteCount: Int { get }
  /// The slot stands on a multiple of this.
  static var slotAlignment: Int { get }
  /// The type's structure, as in `array<f64>`: equal for types of equal layout and meaning, in all programs.
  ///
  /// - Throws: ``SharedError/unsuitableType(_:reason:)`` when a plain type breaks its promise.
  static func structure() throws(SharedError) -> String
  /// The value whose slot is at `position`, which may be any number: it and all that the slot says is checked.
  @_lifetime(copy region)
  init(loading region: SharedRegion, at position: Int) throws(SharedError)
}

/// A value that can be the key of a ``SharedDictionary``: fixed-width integers and ``SharedString``.
public protocol SharedKey: SharedValue, ~Escapable {
  /// What a key is looked up with: the integer, or a `String`.
  associatedtype Lookup
  /// Calls `body` with the bytes that stand for `key`: equal keys have equal bytes, different ones different bytes.
  static func withBytes<Result>(of key: Lookup, _ body: (RawSpan) -> Result) -> Result
  /// Whether the key whose slot is at `position` has these bytes.
  static func matches(_ bytes: RawSpan, in region: SharedRegion, at position: Int) throws(SharedError) -> Bool
}

/// The slot of a container: where its elements begin, and how many they are.
@usableFromInline
struct ContainerSlot: BitwiseCopyable {
  @usableFromInline static let byteCount = 8
  @usableFromInline static let alignment = 4

  @usableFromInline let position: Int
  @usableFromInline let count: Int

  @inlinable
  init(position: Int, count: Int) {
    self.position = position
    self.count = count
  }

  /// Both numbers are loaded once.
  @inlinable
  init(loading region: borrowing SharedRegion, at position: Int) throws(SharedError) {
    let bits = try region.load(UInt64.self, at: position, "a slot")
    self.init(position: Int(bits & 0xffff_ffff), count: Int(bits &>> 32))
  }

  @inlinable var bits: UInt64 { UInt64(truncatingIfNeeded: position) | UInt64(truncatingIfNeeded: count) &<< 32 }
}
