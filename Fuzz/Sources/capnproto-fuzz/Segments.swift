import CapnProto

/// A message of the fuzzer's bytes: segments of their exact sizes, so that the sanitizer sees every access beyond them.
///
/// The first byte says into how many segments the words behind it are cut; a last word that is not whole is dropped.
struct Segments: ~Copyable {
  let segments: [UnsafeMutableRawBufferPointer]
  let wordCount: Int

  init(_ input: UnsafeRawBufferPointer) {
    let count = Int(input.first ?? 0) % 4 + 1
    let words = max(input.count - 1, 0) / 8
    let share = (words + count - 1) / count
    segments = (0..<count).map { index in
      let range = min(index * share, words)..<min((index + 1) * share, words)
      let segment = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count * 8, alignment: 8)
      if !range.isEmpty {
        segment.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: input[1 + range.lowerBound * 8..<1 + range.upperBound * 8]))
      }
      return segment
    }
    wordCount = words
  }

  deinit { segments.forEach { $0.deallocate() } }

  /// Levels that may be followed.
  static let nestingLimit = 24

  /// Words that may be traversed: enough for any sound message of this size.
  var traversalWords: Int { wordCount * 4 + 64 }

  /// A message with its limits untouched.
  func message() -> MessageSegments {
    do {
      return try MessageSegments(
        segments.map { UnsafeRawBufferPointer($0) },
        limits: ReadLimits(traversalWords: traversalWords, nesting: Self.nestingLimit, totalWords: .max))
    } catch {
      fatalError("segments within all limits are refused: \(error)")
    }
  }
}

/// The words of `message` as ``Segments`` takes them, padded so that each segment is as long.
func encodeSegments<Root>(of message: borrowing MessageBuilder<Root>) -> [UInt8] {
  let count = min(message.segmentCount, 4)
  let share = (0..<count).map { message.segment(at: $0).count }.max() ?? 0
  var bytes: [UInt8] = [UInt8(count - 1)]
  for index in 0..<count {
    let segment = message.segment(at: index)
    bytes += segment
    bytes += repeatElement(0, count: share - segment.count)
  }
  return bytes
}

/// Segments of one size each, up to a limit in all.
final class SmallSegmentAllocator: SegmentAllocator, @unchecked Sendable {
  // Sound as Sendable: used by one thread.
  private var segments: [UnsafeMutableRawBufferPointer] = []
  private let byteCount: Int
  private var left: Int

  init(byteCount: Int, byteLimit: Int = 1 << 20) {
    self.byteCount = byteCount
    left = byteLimit
  }

  deinit { segments.forEach { $0.deallocate() } }

  func allocateSegment(minimumByteCount: Int) throws(SegmentAllocationError) -> UnsafeMutableRawBufferPointer {
    let size = max(byteCount, minimumByteCount)
    guard size <= left else { throw SegmentAllocationError(reason: "limit", requestedByteCount: minimumByteCount) }
    left -= size
    let segment = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
    segment.initializeMemory(as: UInt8.self, repeating: 0xA5)
    segments.append(segment)
    return segment
  }

  /// Changes a byte of what was given out, as somebody could who may write to the memory.
  func scribble(_ position: Int, _ byte: UInt8) {
    guard !segments.isEmpty else { return }
    let segment = segments[position % segments.count]
    segment[position / segments.count % segment.count] = byte
  }
}
