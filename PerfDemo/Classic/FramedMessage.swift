import PerfDemoSchema
import Sluice

/// A built message and its stream header, ready to be written any number of times, from any thread.
@safe
final class FramedMessage: @unchecked Sendable {
  // Sound as Sendable: nothing changes after `init`.
  private let message: MessageBuilder<Cache>
  /// The stream header, with the first segment behind it when that is small: it holds the pointers, and a system call of
  /// its own would cost more than this one copy.
  private let prefix: UnsafeMutableRawBufferPointer
  private let firstUncopied: Int

  private static let smallSegmentByteCount = 4096

  /// Frames a message.
  ///
  /// - Throws: the message's `failure`.
  init(_ message: consuming MessageBuilder<Cache>) throws(CapnProtoError) {
    if let failure = message.failure { throw failure }
    // The message lives as long as this object, and is never written to again.
    let wordCounts = (0..<message.segmentCount).map { unsafe message.segment(at: $0).count / 8 }
    var prefix = StreamHeader(segmentWordCounts: wordCounts).encoded
    let first = unsafe message.segment(at: 0)
    let isSmall = first.count <= Self.smallSegmentByteCount
    if isSmall { unsafe prefix.append(contentsOf: first) }
    unsafe self.prefix = .allocate(byteCount: prefix.count, alignment: 8)
    unsafe self.prefix.copyBytes(from: prefix)
    firstUncopied = isSmall ? 1 : 0
    self.message = message
  }

  // Allocated in `init`, and lent during calls only.
  deinit { unsafe prefix.deallocate() }

  /// Builds and frames a message in private memory.
  ///
  /// - Throws: what the body throws, or the message's `failure`.
  convenience init(building body: (inout MessageBuilder<Cache>) throws -> Void) throws {
    var message = try MessageBuilder(Cache.self)
    try body(&message)
    try self.init(message)
  }

  /// Calls the body with the bytes of the message in order, two pieces at a time; the second may be empty. The pieces are
  /// valid during the call only.
  func forEachPair(
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(SystemError) -> Void
  ) throws(SystemError) {
    unsafe try body(UnsafeRawBufferPointer(prefix), segment(firstUncopied))
    var next = firstUncopied + 1
    while next < message.segmentCount {
      unsafe try body(segment(next), segment(next + 1))
      next += 2
    }
  }

  private func segment(_ index: Int) -> UnsafeRawBufferPointer {
    // The message lives as long as this object, and its memory stays where it is.
    unsafe index < message.segmentCount ? message.segment(at: index) : UnsafeRawBufferPointer(start: nil, count: 0)
  }
}
