/// What a message needs while it is written, beside its segments: where more come from, and what went wrong first.
@usableFromInline @safe
struct BuilderRecord {
  let allocator: any SegmentAllocator
  /// The first thing that failed. Once set it stays.
  @usableFromInline var failure: CapnProtoError?
  /// The segment with the most room. Objects go there when the segment of the pointer to them is full.
  var roomiest: UnsafeMutablePointer<SegmentRecord>
  var tableCapacity: Int
  /// Stand-ins for blobs whose allocation failed, so that their spans have the size that was asked for.
  var scratch: [UnsafeMutableRawPointer] = unsafe []
}

extension MessageRecord {
  /// An empty message with its first segment, whose first word is the (null) root pointer.
  static func allocateForBuilding(
    allocator: any SegmentAllocator, minimumWords: Int
  ) throws(CapnProtoError) -> UnsafeMutablePointer<MessageRecord> {
    let memory = unsafe try obtainSegment(minimumWords: minimumWords, from: allocator)
    // Sound: everything is initialised before anybody sees it.
    let message = UnsafeMutablePointer<MessageRecord>.allocate(capacity: 1)
    let table = UnsafeMutablePointer<UnsafeMutablePointer<SegmentRecord>>.allocate(capacity: 4)
    let first = UnsafeMutablePointer<SegmentRecord>.allocate(capacity: 1)
    let builder = UnsafeMutablePointer<BuilderRecord>.allocate(capacity: 1)
    unsafe memory.start.storeBytes(of: 0, as: UInt64.self)
    unsafe first.initialize(
      to: SegmentRecord(start: memory.start, wordCount: 1, capacity: memory.words, index: 0, message: message))
    unsafe table.initialize(to: first)
    unsafe builder.initialize(to: BuilderRecord(allocator: allocator, roomiest: first, tableCapacity: 4))
    unsafe message.initialize(
      to: MessageRecord(
        segments: table, segmentCount: 1, traversalLimit: .max, nestingLimit: Int(Int32.max), builder: builder))
    return unsafe message
  }

  /// Frees what ``allocateForBuilding(allocator:minimumWords:)`` made, and lets go of the allocator.
  static func deallocateAfterBuilding(_ message: UnsafeMutablePointer<MessageRecord>) {
    // Sound: the one owner calls this once, at its end.
    for index in unsafe 0..<message.pointee.segmentCount { unsafe message.pointee.segments[index].deallocate() }
    unsafe message.pointee.segments.deallocate()
    if let builder = unsafe message.pointee.builder {
      unsafe builder.pointee.scratch.forEach { unsafe $0.deallocate() }
      unsafe builder.deinitialize(count: 1)
      unsafe builder.deallocate()
    }
    unsafe message.deinitialize(count: 1)
    unsafe message.deallocate()
  }

  private static func obtainSegment(
    minimumWords: Int, from allocator: any SegmentAllocator
  ) throws(CapnProtoError) -> (start: UnsafeMutableRawPointer, words: Int) {
    guard minimumWords <= WirePointer.maximumSegmentWords else {
      throw CapnProtoError(.messageTooLarge(words: minimumWords, limitWords: WirePointer.maximumSegmentWords))
    }
    let byteCount = minimumWords &* 8
    let memory: UnsafeMutableRawBufferPointer
    do {
      unsafe memory = try allocator.allocateSegment(minimumByteCount: byteCount)
    } catch {
      throw CapnProtoError(.allocationFailed(error))
    }
    guard let start = memory.baseAddress, memory.count >= byteCount, UInt(bitPattern: start) & 7 == 0 else {
      throw CapnProtoError(
        .allocationFailed(
          SegmentAllocationError(reason: "the allocator gave less than it was asked for", requestedByteCount: byteCount)
        ))
    }
    return unsafe (start, min(memory.count / 8, WirePointer.maximumSegmentWords))
  }

  /// Makes room for `words` words in a segment, a new one if need be.
  ///
  /// A new segment becomes the one that further objects go to only if it has more room left than the one before: a blob
  /// that fills a segment of its own does not displace it.
  static func segment(
    withRoomFor words: Int, in message: UnsafeMutablePointer<MessageRecord>,
    builder: UnsafeMutablePointer<BuilderRecord>
  ) throws(CapnProtoError) -> UnsafeMutablePointer<SegmentRecord> {
    // Sound: the records live as long as the message; the table is replaced only here, by its one writer.
    let roomiest = unsafe builder.pointee.roomiest
    let room = unsafe roomiest.pointee.capacity - roomiest.pointee.wordCount
    if words <= room { return unsafe roomiest }
    let memory = unsafe try obtainSegment(minimumWords: words, from: builder.pointee.allocator)
    let count = unsafe message.pointee.segmentCount
    if unsafe count == builder.pointee.tableCapacity {
      let table = UnsafeMutablePointer<UnsafeMutablePointer<SegmentRecord>>.allocate(capacity: count * 2)
      unsafe table.moveInitialize(from: message.pointee.segments, count: count)
      unsafe message.pointee.segments.deallocate()
      unsafe message.pointee.segments = table
      unsafe builder.pointee.tableCapacity = count * 2
    }
    let segment = UnsafeMutablePointer<SegmentRecord>.allocate(capacity: 1)
    unsafe segment.initialize(
      to: SegmentRecord(
        start: memory.start, wordCount: 0, capacity: memory.words, index: UInt32(truncatingIfNeeded: count),
        message: message))
    unsafe (message.pointee.segments + count).initialize(to: segment)
    unsafe message.pointee.segmentCount = count + 1
    if unsafe memory.words - words > room { unsafe builder.pointee.roomiest = segment }
    return unsafe segment
  }
}
