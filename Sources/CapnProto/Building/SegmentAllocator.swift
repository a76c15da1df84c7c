import Synchronization

/// Gives a message builder its segments. One instance serves one message: it owns the segments it gave, and frees them
/// when it is released.
public protocol SegmentAllocator: AnyObject, Sendable {
  /// A new segment of at least `minimumByteCount` bytes, aligned to 8, of a size divisible by 8. Its content may be
  /// anything: the builder zeroes what it hands out, unless a blob is about to be filled.
  ///
  /// - Parameter minimumByteCount: A positive multiple of 8.
  /// - Throws: ``SegmentAllocationError`` when there is no such memory, for instance because a limit was met.
  func allocateSegment(minimumByteCount: Int) throws(SegmentAllocationError) -> UnsafeMutableRawBufferPointer
}

/// Why an allocator gave no segment.
public struct SegmentAllocationError: Error, Sendable, Hashable {
  /// What stood against it, with the limit that was met.
  public let reason: String
  /// The bytes that were asked for.
  public let requestedByteCount: Int
  /// The allocator's own error, if it has one. Not compared: the reason says the same.
  public let cause: (any Error)?

  /// An allocation of `requestedByteCount` bytes that failed for `reason`.
  public init(reason: String, requestedByteCount: Int, cause: (any Error)? = nil) {
    self.reason = reason
    self.requestedByteCount = requestedByteCount
    self.cause = cause
  }

  /// Whether both have the same reason, for the same number of bytes.
  public static func == (left: Self, right: Self) -> Bool {
    left.reason == right.reason && left.requestedByteCount == right.requestedByteCount
  }

  /// Hashes what is compared.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(reason)
    hasher.combine(requestedByteCount)
  }
}

extension SegmentAllocationError: CustomStringConvertible {
  /// The reason and the size in one line.
  public var description: String { "\(reason) (\(requestedByteCount) bytes were asked for)" }
}

/// Segments from the process's heap, each as large as all before together, and no less than asked for.
public final class HeapSegmentAllocator: SegmentAllocator {
  @safe private struct State {
    var segments: [UnsafeMutableRawBufferPointer] = unsafe []
    var byteCount = 0
  }

  private let state = Mutex(State())
  private let firstSegmentByteCount: Int
  private let byteLimit: Int

  /// An allocator for one message.
  ///
  /// - Parameters:
  ///   - firstSegmentByteCount: The size of the first segment, rounded up to 8.
  ///   - byteLimit: The most bytes that all segments may have together.
  public init(firstSegmentByteCount: Int = 8192, byteLimit: Int = .max) {
    self.firstSegmentByteCount = (min(max(firstSegmentByteCount, 8), 1 << 32) + 7) & ~7
    self.byteLimit = max(byteLimit, 0)
  }

  deinit {
    // Sound: nobody uses the segments of a released allocator.
    state.withLock { state in
      unsafe state.segments.forEach { unsafe $0.deallocate() }
    }
  }

  /// A segment of `minimumByteCount` bytes or more. Throws when that would exceed the byte limit.
  public func allocateSegment(
    minimumByteCount: Int
  ) throws(SegmentAllocationError) -> UnsafeMutableRawBufferPointer {
    unsafe try state.withLock { state throws(SegmentAllocationError) in
      let left = byteLimit - state.byteCount
      guard minimumByteCount > 0, minimumByteCount <= left else {
        throw SegmentAllocationError(
          reason: "the limit of \(byteLimit) bytes is met", requestedByteCount: minimumByteCount)
      }
      let preferred = min(state.byteCount == 0 ? firstSegmentByteCount : state.byteCount, 1 << 32, left)
      let byteCount = max(minimumByteCount, preferred) & ~7
      let segment = UnsafeMutableRawBufferPointer.allocate(byteCount: max(byteCount, 8), alignment: 8)
      unsafe state.segments.append(segment)
      state.byteCount += segment.count
      return unsafe segment
    }
  }
}
