/// Writes one container, in place, into memory that others will read.
///
/// What is written gets a ``SharedReference``, with which what is written later refers to it: inner values first, the root
/// last. A reference can be used many times. Where it is copied to, the value is not written again.
///
/// Nothing but what is written becomes visible: gaps are zeroed. For one thread, and no longer than the memory.
@safe
public struct SharedBuilder: ~Copyable, ~Escapable {
  /// Nil while only the size is being found out.
  @usableFromInline let base: UnsafeMutableRawPointer?
  /// How many bytes there is room for.
  public let capacity: Int
  /// How many bytes were written so far.
  public private(set) var byteCount: Int
  /// Positions that are aligned are so relative to this one, whose address is a multiple of ``largestAlignment``.
  @usableFromInline let origin: Int
  /// Tells references of different builders apart.
  @usableFromInline let identity: UInt32

  /// No element has a larger alignment.
  public static var largestAlignment: Int { 64 }

  /// A builder that finds out how much room something needs.
  @_lifetime(immortal)
  init(measuring: Void) {
    unsafe base = nil
    capacity = SharedRegion.byteLimit
    // As if the memory's address were the least favourable one.
    origin = SharedRegion.headerByteCount + Self.largestAlignment - 8
    byteCount = origin
    identity = 0
  }

  /// A builder that writes to `memory`, which begins on a multiple of 8 and outlives it.
  @unsafe @_lifetime(immortal)
  init(_ memory: UnsafeMutableRawBufferPointer, identity: UInt32) {
    unsafe base = memory.baseAddress
    capacity = min(memory.count, SharedRegion.byteLimit)
    let start = UInt(bitPattern: memory.baseAddress) + UInt(SharedRegion.headerByteCount)
    let gap = Int((0 &- start) & UInt(Self.largestAlignment - 1))
    origin = min(SharedRegion.headerByteCount + gap, capacity)
    byteCount = origin
    self.identity = identity
    // Sound: within the memory.
    unsafe base?.initializeMemory(as: UInt8.self, repeating: 0, count: origin)
  }

  /// Whether anything is really written.
  @inlinable
  var isMeasuring: Bool { unsafe base == nil }

  // MARK: Room

  /// Room for `count` slots of `stride` bytes: its position. Not zeroed, but for the gap before it.
  @usableFromInline
  mutating func reserve(count: Int, stride: Int, alignment: Int) throws(SharedError) -> Int {
    let gap = (origin &- byteCount) & (alignment &- 1)
    let (size, overflow) = count.multipliedReportingOverflow(by: stride)
    guard !overflow, size >= 0, size <= SharedRegion.byteLimit &- byteCount &- gap else {
      throw .tooLarge(byteCount: overflow ? .max : size, limit: SharedRegion.byteLimit)
    }
    guard alignment <= Self.largestAlignment else {
      throw .unsuitableType("a type", reason: "it is aligned to \(alignment); \(Self.largestAlignment) is the most")
    }
    let position = byteCount &+ gap
    guard size <= capacity &- position else { throw .outOfRoom(byteCount: position &+ size, capacity: capacity) }
    // Sound: within the capacity, as just checked.
    if let base = unsafe base { unsafe (base + byteCount).initializeMemory(as: UInt8.self, repeating: 0, count: gap) }
    byteCount = position &+ size
    return position
  }

  /// Zeroes room that was reserved.
  @usableFromInline
  mutating func zero(_ position: Int, byteCount: Int) throws(SharedError) {
    try check(position, byteCount)
    // Sound: within what was reserved, as just checked.
    if let base = unsafe base {
      unsafe (base + position).initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    }
  }

  /// Gives back what was reserved last, from `position` on.
  @usableFromInline
  mutating func shorten(to position: Int) {
    byteCount = min(byteCount, max(position, origin))
  }

  @inlinable
  func check(_ position: Int, _ size: Int) throws(SharedError) {
    guard position >= SharedRegion.headerByteCount, size >= 0, position <= byteCount, size <= byteCount &- position
    else {
      throw .outOfBounds(what: "what is written", position: position, byteCount: size, limit: byteCount)
    }
  }

  // MARK: Writing

  /// Writes `value` at `position`, which must have been given for it.
  @inlinable
  public mutating func store<Value: PlainBits>(_ value: Value, at position: Int) throws(SharedError) {
    try check(position, MemoryLayout<Value>.size)
    // Sound: in bounds; a plain type has no padding.
    if let base = unsafe base { unsafe base.storeBytes(of: value, toByteOffset: position, as: Value.self) }
  }

  /// Writes bytes at `position`, which must have been given for them.
  @usableFromInline
  mutating func store(_ bytes: RawSpan, at position: Int) throws(SharedError) {
    try check(position, bytes.byteCount)
    guard let base = unsafe base, bytes.byteCount > 0 else { return }
    // Sound: in bounds, as just checked.
    unsafe bytes.withUnsafeBytes { source in
      unsafe UnsafeMutableRawBufferPointer(start: base + position, count: source.count).copyMemory(from: source)
    }
  }

  @inlinable
  mutating func store(_ slot: ContainerSlot, at position: Int) throws(SharedError) {
    try store(slot.bits, at: position)
  }

  /// The bits at `position`, which were written before. Other processes may read this memory but not write it.
  @inlinable
  func load<Value: PlainBits>(_ type: Value.Type, at position: Int) throws(SharedError) -> Value? {
    try check(position, MemoryLayout<Value>.size)
    // Sound: in bounds; written before.
    return unsafe base.map { unsafe $0.loadUnaligned(fromByteOffset: position, as: Value.self) }
  }

  /// Writes `source`, and gives a reference to it.
  ///
  /// - Throws: ``SharedError/outOfRoom(byteCount:capacity:)`` and its kin.
  @inlinable
  public mutating func write<Source: SharedSource>(_ source: Source) throws(SharedError) -> SharedReference<
    Source.Stored
  > {
    let position = try reserve(
      count: 1, stride: Source.Stored.slotByteCount, alignment: Source.Stored.slotAlignment)
    try zero(position, byteCount: Source.Stored.slotByteCount)
    try source.store(at: position, in: &self)
    return SharedReference(position: position, builder: identity)
  }

  /// Writes an array of at most `count` elements, which `fill` writes in place; they are not zeroed first. The array has as
  /// many as `fill` wrote.
  @inlinable
  public mutating func writeArray<Element: PlainBits>(
    of type: Element.Type = Element.self, count: Int, fill: (inout OutputSpan<Element>) throws -> Void
  ) throws -> SharedReference<SharedArray<Element>> {
    let slot = try reserve(count: 1, stride: ContainerSlot.byteCount, alignment: ContainerSlot.alignment)
    try zero(slot, byteCount: ContainerSlot.byteCount)
    let position = try reserve(count: max(count, 0), stride: Element.slotByteCount, alignment: Element.slotAlignment)
    var written = 0
    if let base = unsafe base {
      // Sound: reserved, aligned, and of as many elements; what was not initialised is given back.
      let buffer = unsafe UnsafeMutableBufferPointer(
        start: (base + position).assumingMemoryBound(to: Element.self), count: max(count, 0))
      var output = unsafe OutputSpan(buffer: buffer, initializedCount: 0)
      try fill(&output)
      written = unsafe output.finalize(for: buffer)
    }
    shorten(to: position &+ written &* Element.slotByteCount)
    try store(ContainerSlot(position: written == 0 ? 0 : position, count: written), at: slot)
    return SharedReference(position: slot, builder: identity)
  }

  /// Makes `root` the root and writes the header: the container is complete then.
  mutating func finish<Root: SharedValue & ~Escapable>(_ root: SharedReference<Root>) throws(SharedError) {
    guard root.builder == identity else { throw .foreignReference }
    guard let base = unsafe base else { return }
    guard capacity >= SharedRegion.headerByteCount else {
      throw .outOfRoom(byteCount: SharedRegion.headerByteCount, capacity: capacity)
    }
    let fingerprint = try Fingerprint.of(Root.self)
    // Sound: the header is within the capacity.
    unsafe base.storeBytes(of: SharedRegion.magic, toByteOffset: 0, as: UInt32.self)
    unsafe base.storeBytes(of: UInt32(truncatingIfNeeded: root.position), toByteOffset: 4, as: UInt32.self)
    unsafe base.storeBytes(of: fingerprint, toByteOffset: 8, as: UInt64.self)
  }
}

/// Something that a ``SharedBuilder`` wrote. It stands for that value wherever one of its type is expected, in what the same
/// builder writes later.
public struct SharedReference<Value: SharedValue & ~Escapable>: Sendable, SharedSource {
  /// The value.
  public typealias Stored = Value

  @usableFromInline let position: Int
  @usableFromInline let builder: UInt32

  @inlinable
  init(position: Int, builder: UInt32) {
    self.position = position
    self.builder = builder
  }

  /// Copies the value's slot: what it refers to is referred to twice then.
  @inlinable
  public func store(at position: Int, in target: inout SharedBuilder) throws(SharedError) {
    guard builder == target.identity else { throw .foreignReference }
    for offset in 0..<Value.slotByteCount {
      guard let byte = try target.load(UInt8.self, at: self.position &+ offset) else { return }
      try target.store(byte, at: position &+ offset)
    }
  }

  /// A pointer to the value, as a source: for values that several others lead to.
  @inlinable
  public var pointer: SharedPointerSource<Value> { SharedPointerSource(target: self) }
}

/// A source of pointers to what was written before.
public struct SharedPointerSource<Pointee: SharedValue & ~Escapable>: Sendable, SharedSource {
  /// A pointer.
  public typealias Stored = SharedPointer<Pointee>

  @usableFromInline let target: SharedReference<Pointee>

  @inlinable
  init(target: SharedReference<Pointee>) { self.target = target }

  /// Writes where the value stands.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    guard target.builder == builder.identity else { throw .foreignReference }
    try builder.store(ContainerSlot(position: target.position, count: 0), at: position)
  }
}
