/// The segments of a message under construction, for who sends it and needs not know the type of its root: what is not
/// generic is not compiled, or looked up, for each type.
///
/// Valid as long as the builder is borrowed.
@usableFromInline @safe package struct BuiltSegments {
  // Sound: the record lives as long as the builder, which whoever has this value borrows.
  @usableFromInline let message: UnsafeMutablePointer<MessageRecord>
  /// Where the segments come from.
  @usableFromInline package let allocator: any SegmentAllocator

  @unsafe @inlinable init(message: UnsafeMutablePointer<MessageRecord>, allocator: any SegmentAllocator) {
    unsafe self.message = message
    self.allocator = allocator
  }

  /// What went wrong first while the message was written, if anything did. Then it must not be sent.
  package var failure: CapnProtoError? { unsafe message.pointee.builder?.pointee.failure }

  /// How many segments there are.
  package var segmentCount: Int { unsafe message.pointee.segmentCount }

  /// The used part of segment `index`, which is in range.
  package func segment(at index: Int) -> UnsafeRawBufferPointer {
    precondition(index >= 0 && index < segmentCount, "Segment index out of range")
    let record = unsafe message.pointee.segments[index].pointee
    return unsafe UnsafeRawBufferPointer(start: record.start, count: record.wordCount * 8)
  }
}
