/// Owns a message's records in stable memory (not the segments' bytes). Whoever holds it frees it once.
@usableFromInline @safe
struct SegmentTable {
  @usableFromInline let message: UnsafeMutablePointer<MessageRecord>

  /// Records for `segments`, each made of whole aligned words that stay valid as long as the table is used.
  ///
  /// - Parameters:
  ///   - segments: At least one.
  ///   - copying: Whether the table is to have its own copies of the segments' bytes, which then need not stay valid.
  static func allocate(
    segments: UnsafeBufferPointer<UnsafeRawBufferPointer>, copying: Bool = false, traversalLimit: Int, nestingLimit: Int
  ) -> SegmentTable {
    // Sound: every record is initialised before anybody sees the table. All are aligned to 8 and share one allocation:
    // the message's record, the segments' records, the table, and the copies.
    let count = segments.count
    let recordsOffset = MemoryLayout<MessageRecord>.stride
    let tableOffset = recordsOffset + count * MemoryLayout<SegmentRecord>.stride
    let bytesOffset = unsafe tableOffset + count * MemoryLayout<UnsafeRawPointer>.stride
    var ownByteCount = 0
    if copying { for index in segments.indices { ownByteCount += unsafe segments[index].count } }
    let block = UnsafeMutableRawPointer.allocate(byteCount: bytesOffset + ownByteCount, alignment: 8)
    var copy = unsafe block + bytesOffset
    let message = unsafe block.bindMemory(to: MessageRecord.self, capacity: 1)
    let records = unsafe (block + recordsOffset).bindMemory(to: SegmentRecord.self, capacity: count)
    let table = unsafe (block + tableOffset).bindMemory(
      to: UnsafeMutablePointer<SegmentRecord>.self, capacity: count)
    for index in segments.indices {
      let segment = unsafe segments[index]
      var start = unsafe UnsafeMutableRawPointer(mutating: segment.baseAddress ?? UnsafeRawPointer(records))
      if copying {
        unsafe copy.copyMemory(from: start, byteCount: segment.count)
        unsafe start = copy
        unsafe copy += segment.count
      }
      let words = min(segment.count / 8, WirePointer.maximumSegmentWords + 1)
      unsafe (records + index).initialize(
        to: SegmentRecord(
          start: start, wordCount: words, capacity: words, index: UInt32(truncatingIfNeeded: index), message: message))
      unsafe (table + index).initialize(to: records + index)
    }
    unsafe message.initialize(
      to: MessageRecord(
        segments: table, segmentCount: segments.count, traversalLimit: traversalLimit, nestingLimit: nestingLimit))
    return unsafe SegmentTable(message: message)
  }

  @usableFromInline
  init(message: UnsafeMutablePointer<MessageRecord>) {
    unsafe self.message = message
  }

  /// The root pointer: the first word of the first segment, or null when that has none.
  @inlinable
  var rootPointer: PointerView {
    // Sound: a table has one segment at least.
    unsafe PointerView(
      segment: message.pointee.segments[0],
      location: message.pointee.segments[0].pointee.wordCount > 0
        ? UnsafeRawPointer(message.pointee.segments[0].pointee.start) : nil,
      nesting: Int32(clamping: message.pointee.nestingLimit))
  }

  /// The root struct, which is to be read as one of `schema`; one without content for a null pointer.
  @inlinable
  func rootStructure<Schema: StructSchema>(_ schema: Schema.Type) throws(CapnProtoError) -> StructView {
    let pointer = rootPointer
    do {
      return unsafe try pointer.structure() ?? StructView(emptyIn: pointer.segment)
    } catch {
      throw error.named(rootOfType: Schema.typeName)
    }
  }

  /// Frees a table that ``allocate(segments:copying:traversalLimit:nestingLimit:)`` made. No view of it may be used any more.
  func deallocate() {
    unsafe message.deinitialize(count: 1)
    unsafe UnsafeMutableRawPointer(message).deallocate()
  }
}
