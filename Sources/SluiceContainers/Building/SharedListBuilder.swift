/// Writes a ``SharedList``, element by element, between other things that the same builder writes.
///
/// Each chunk has room for twice as many elements as the one before, up to ``largestChunk``.
public struct SharedListBuilder<Element: SharedValue & ~Escapable>: ~Copyable {
  /// The most elements of one chunk.
  public static var largestChunk: Int { 1024 }

  @usableFromInline var firstChunk = 0
  @usableFromInline var chunk = 0
  @usableFromInline var chunkCount = 0
  @usableFromInline var chunkCapacity = 0
  /// How many elements were appended.
  public private(set) var count = 0

  /// An empty list.
  public init(of element: Element.Type = Element.self) {}

  /// Appends an element.
  @inlinable
  public mutating func append<Source: SharedSource>(
    _ source: Source, in builder: inout SharedBuilder
  ) throws(SharedError) where Source.Stored == Element {
    if chunkCount == chunkCapacity { try addChunk(in: &builder) }
    let place = chunk &+ SharedList<Element>.chunkHeaderByteCount &+ chunkCount &* Element.slotByteCount
    try source.store(at: place, in: &builder)
    chunkCount &+= 1
    booked()
    try builder.store(UInt32(truncatingIfNeeded: chunkCount), at: chunk &+ 4)
  }

  @usableFromInline
  mutating func booked() { count &+= 1 }

  @inlinable
  mutating func addChunk(in builder: inout SharedBuilder) throws(SharedError) {
    let capacity = min(max(4, chunkCapacity &* 2), Self.largestChunk)
    let byteCount = SharedList<Element>.chunkHeaderByteCount &+ capacity &* Element.slotByteCount
    let next = try builder.reserve(count: 1, stride: byteCount, alignment: SharedList<Element>.chunkAlignment)
    try builder.zero(next, byteCount: byteCount)
    if chunk == 0 { firstChunk = next } else { try builder.store(UInt32(truncatingIfNeeded: next), at: chunk) }
    chunk = next
    chunkCount = 0
    chunkCapacity = capacity
  }

  /// The list as it is now, for what the same builder writes.
  @inlinable
  public func write(in builder: inout SharedBuilder) throws(SharedError) -> SharedReference<SharedList<Element>> {
    let position = try builder.reserve(count: 1, stride: ContainerSlot.byteCount, alignment: ContainerSlot.alignment)
    try builder.store(ContainerSlot(position: firstChunk, count: count), at: position)
    return SharedReference(position: position, builder: builder.identity)
  }
}
