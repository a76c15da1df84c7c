/// Text in shared memory, read in place. It lives no longer than the memory: the message that holds it.
@safe
public struct SharedString: ~Escapable {
  @usableFromInline let region: SharedRegion
  @usableFromInline let position: Int
  /// Its length in bytes of UTF-8.
  public let utf8Count: Int

  @inlinable @_lifetime(copy region)
  init(_ region: SharedRegion, checkedPosition position: Int, utf8Count: Int) {
    self.region = region
    self.position = position
    self.utf8Count = utf8Count
  }

  /// Its bytes in place, which need not be UTF-8; its writer could be changing them.
  @inlinable
  public var utf8: RawSpan {
    @_lifetime(copy self) get { region.span(position, byteCount: utf8Count) }
  }

  /// The text: copied, then validated.
  ///
  /// - Throws: ``SharedError/invalidText(position:)``.
  public var string: String {
    get throws(SharedError) {
      let utf8 = utf8
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: utf8Count) { target, initialized in
        // Sound: the array has room for as many bytes.
        unsafe utf8.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(target).copyMemory(from: $0) }
        initialized = utf8Count
      }
      guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalidText(position: position) }
      return text
    }
  }

  /// Whether it has the bytes of `text`. Nothing is copied.
  @inlinable
  public func isEqual(to text: String) -> Bool {
    let utf8 = utf8
    return Self.withBytes(of: text) { Self.areEqual($0, utf8) }
  }

  @inlinable
  static func areEqual(_ left: RawSpan, _ right: RawSpan) -> Bool {
    guard left.byteCount == right.byteCount else { return false }
    for index in 0..<left.byteCount {
      // Sound: both have as many bytes.
      let (one, other) = unsafe (
        left.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt8.self),
        right.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt8.self)
      )
      if one != other { return false }
    }
    return true
  }
}

extension SharedString: SharedKey {
  /// A position and a count.
  @inlinable
  public static var slotByteCount: Int { ContainerSlot.byteCount }
  /// That of the position.
  @inlinable
  public static var slotAlignment: Int { ContainerSlot.alignment }
  /// `string`.
  public static func structure() -> String { "string" }

  /// The text whose slot is at `position`; checks that all its bytes stand in the region.
  @inlinable @_lifetime(copy region)
  public init(loading region: SharedRegion, at position: Int) throws(SharedError) {
    let slot = try ContainerSlot(loading: region, at: position)
    try region.follow(slot.position, count: slot.count, stride: 1, "a text")
    self.init(region, checkedPosition: slot.position, utf8Count: slot.count)
  }

  /// The bytes of its UTF-8.
  @inlinable
  public static func withBytes<Result>(of key: String, _ body: (RawSpan) -> Result) -> Result {
    var key = key
    // Sound: the span lives no longer than the call.
    return key.withUTF8 { unsafe body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer($0))) }
  }

  /// Whether the text whose slot is at `position` has these bytes.
  @inlinable
  public static func matches(
    _ bytes: RawSpan, in region: SharedRegion, at position: Int
  ) throws(SharedError) -> Bool {
    let slot = try ContainerSlot(loading: region, at: position)
    // Compared before it is followed: a look-up pays for the text that it finds, not for those that it passes.
    guard slot.count == bytes.byteCount else { return false }
    try region.follow(slot.position, count: slot.count, stride: 1, "a key")
    return areEqual(bytes, region.span(slot.position, byteCount: slot.count))
  }
}
