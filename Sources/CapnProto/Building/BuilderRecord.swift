/// What a message needs while it is written, beside its segments: where more come from, and what went wrong first.
@usableFromInline @safe
struct BuilderRecord {
  let allocator: any SegmentAllocator
  /// The first thing that failed. Once set it stays.
  @usableFromInline var failure: CapnProtoError?
  /// The segment with the most room. Objects go there when the segment of the pointer to them is full.
  var roomiest: UnsafeMutablePointer<SegmentRecord>
  var tableCapacity: Int
  /// Segments that the table has: those in use, and behind them those that were left empty by a reset.
  var segmentTotal = 1
  /// Stand-ins for blobs whose allocation failed, so that their spans have the size that was asked for.
  var scratch: [UnsafeMutableRawPointer] = unsafe []
}

extension MessageRecord {
  /// An empty message with its first segment, whose first word is the (null) root pointer.
  static func allocateForBuilding(
    allocator: any SegmentAllocator, minimumWords: Int
  ) throws(CapnProtoError) -> UnsafeMutablePointer<MessageRecord> {
    let memory = unsafe try obtainSegment(minimumWords: minimumWords, from: allocator)
    // Sound: everything is initialised before anybody sees it. All of it is aligned to 8 and shares one allocation, which
    // begins with the message's record.
    let block = UnsafeMutableRawPointer.allocate(byteCount: BuildingBlock.byteCount, alignment: 8)
    let message = unsafe block.bindMemory(to: MessageRecord.self, capacity: 1)
    let builder = unsafe (block + BuildingBlock.builderOffset).bindMemory(to: BuilderRecord.self, capacity: 1)
    let table = unsafe (block + BuildingBlock.tableOffset)
      .bindMemory(to: UnsafeMutablePointer<SegmentRecord>.self, capacity: BuildingBlock.segmentCount)
    let first = unsafe BuildingBlock.records(of: message)
    unsafe memory.start.storeBytes(of: 0, as: UInt64.self)
    unsafe first.initialize(
      to: SegmentRecord(start: memory.start, wordCount: 1, capacity: memory.words, index: 0, message: message))
    unsafe table.initialize(to: first)
    unsafe builder.initialize(
      to: BuilderRecord(allocator: allocator, roomiest: first, tableCapacity: BuildingBlock.segmentCount))
    unsafe message.initialize(
      to: MessageRecord(
        segments: table, segmentCount: 1, traversalLimit: .max, nestingLimit: Int(Int32.max), builder: builder))
    return unsafe message
  }

  /// Frees what ``allocateForBuilding(allocator:minimumWords:)`` made, and lets go of the allocator.
  static func deallocateAfterBuilding(_ message: UnsafeMutablePointer<MessageRecord>) {
    guard let builder = unsafe message.pointee.builder else { return }
    // Sound: the one owner calls this once, at its end. What is not part of the first block has a block of its own.
    let (table, own) = unsafe (message.pointee.segments, BuildingBlock.records(of: message))
    for index in unsafe 0..<builder.pointee.segmentTotal {
      let record = unsafe table[index]
      if unsafe record < own || record >= own + BuildingBlock.segmentCount { unsafe record.deallocate() }
    }
    if unsafe builder.pointee.tableCapacity > BuildingBlock.segmentCount { unsafe table.deallocate() }
    unsafe builder.pointee.freeScratch()
    unsafe builder.deinitialize(count: 1)
    unsafe message.deinitialize(count: 1)
    unsafe UnsafeMutableRawPointer(message).deallocate()
  }

  /// Makes the message empty, with all its segments: the first again begins with a null root pointer.
  static func reset(_ message: UnsafeMutablePointer<MessageRecord>) {
    guard let builder = unsafe message.pointee.builder else { return }
    // Sound: the one owner calls this while nobody looks at the message.
    let roomiest = unsafe message.pointee.segments[0]
    for index in unsafe 0..<message.pointee.segmentCount {
      unsafe message.pointee.segments[index].pointee.wordCount = 0
    }
    unsafe roomiest.pointee.wordCount = 1
    unsafe roomiest.pointee.start.storeBytes(of: 0, as: UInt64.self)
    unsafe message.pointee.segmentCount = 1
    unsafe builder.pointee.roomiest = roomiest
    unsafe builder.pointee.failure = nil
    unsafe builder.pointee.freeScratch()
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
    let segment: UnsafeMutablePointer<SegmentRecord>
    if let spare = unsafe spareSegment(words, message, builder) {
      unsafe segment = spare
    } else {
      unsafe segment = try newSegment(words, message, builder)
    }
    if unsafe segment.pointee.capacity - words > room { unsafe builder.pointee.roomiest = segment }
    return unsafe segment
  }

  /// Takes a segment that a reset left empty into use, if one has room.
  private static func spareSegment(
    _ words: Int, _ message: UnsafeMutablePointer<MessageRecord>, _ builder: UnsafeMutablePointer<BuilderRecord>
  ) -> UnsafeMutablePointer<SegmentRecord>? {
    let (table, count) = unsafe (message.pointee.segments, message.pointee.segmentCount)
    for index in unsafe count..<builder.pointee.segmentTotal {
      let segment = unsafe table[index]
      guard unsafe words <= segment.pointee.capacity else { continue }
      // Sound: both places are in the table. Only segments in use have numbers that matter.
      unsafe table[index] = unsafe table[count]
      unsafe table[count] = segment
      unsafe segment.pointee.index = UInt32(truncatingIfNeeded: count)
      unsafe message.pointee.segmentCount = count + 1
      return unsafe segment
    }
    return nil
  }

  /// Obtains a segment from the allocator and takes it into use.
  private static func newSegment(
    _ words: Int, _ message: UnsafeMutablePointer<MessageRecord>, _ builder: UnsafeMutablePointer<BuilderRecord>
  ) throws(CapnProtoError) -> UnsafeMutablePointer<SegmentRecord> {
    let memory = unsafe try obtainSegment(minimumWords: words, from: builder.pointee.allocator)
    let (count, total, capacity) = unsafe (
      message.pointee.segmentCount, builder.pointee.segmentTotal, builder.pointee.tableCapacity
    )
    if total == capacity {
      let table = UnsafeMutablePointer<UnsafeMutablePointer<SegmentRecord>>.allocate(capacity: capacity * 2)
      unsafe table.moveInitialize(from: message.pointee.segments, count: total)
      if capacity > BuildingBlock.segmentCount { unsafe message.pointee.segments.deallocate() }
      unsafe message.pointee.segments = table
      unsafe builder.pointee.tableCapacity = capacity * 2
    }
    let segment =
      unsafe total < BuildingBlock.segmentCount
      ? BuildingBlock.records(of: message) + total : UnsafeMutablePointer<SegmentRecord>.allocate(capacity: 1)
    unsafe segment.initialize(
      to: SegmentRecord(
        start: memory.start, wordCount: 0, capacity: memory.words, index: UInt32(truncatingIfNeeded: count),
        message: message))
    // The first spare segment, if there is one, makes room.
    let table = unsafe message.pointee.segments
    if count < total {
      unsafe (table + total).initialize(to: table[count])
      unsafe table[count] = segment
    } else {
      unsafe (table + count).initialize(to: segment)
    }
    unsafe message.pointee.segmentCount = count + 1
    unsafe builder.pointee.segmentTotal = total + 1
    return unsafe segment
  }
}

extension BuilderRecord {
  mutating func freeScratch() {
    // Sound: nobody uses a stand-in after its message ended or was reset.
    unsafe scratch.forEach { unsafe $0.deallocate() }
    unsafe scratch.removeAll()
  }
}

/// Where the records of a message under construction stand in their one allocation. Records of further segments have
/// allocations of their own.
///
/// | offset | content |
/// |---|---|
/// | 0 | the message's record |
/// | `builderOffset` | what writing needs |
/// | `tableOffset` | the table of segments |
/// | `recordsOffset` | the first segments' records |
private enum BuildingBlock {
  static var segmentCount: Int { 4 }
  static var builderOffset: Int { MemoryLayout<MessageRecord>.stride }
  static var tableOffset: Int { builderOffset + MemoryLayout<BuilderRecord>.stride }
  static var recordsOffset: Int { unsafe tableOffset + segmentCount * MemoryLayout<UnsafeRawPointer>.stride }
  static var byteCount: Int { recordsOffset + segmentCount * MemoryLayout<SegmentRecord>.stride }

  static func records(of message: UnsafeMutablePointer<MessageRecord>) -> UnsafeMutablePointer<SegmentRecord> {
    // Sound: that offset is in the block that begins with the message's record.
    unsafe (UnsafeMutableRawPointer(message) + recordsOffset).assumingMemoryBound(to: SegmentRecord.self)
  }
}
