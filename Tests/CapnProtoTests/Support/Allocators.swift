import CapnProto
import Synchronization

/// Gives segments of a fixed size, or of exactly what is asked for where that is more, filled with garbage.
final class ExactAllocator: SegmentAllocator {
  private struct State: ~Copyable, @unchecked Sendable {
    var segments: [UnsafeMutableRawBufferPointer] = []
    var byteLimit: Int
  }

  private let state: Mutex<State>
  private let byteCount: Int

  init(byteCount: Int, byteLimit: Int = .max) {
    self.byteCount = byteCount
    state = Mutex(State(byteLimit: byteLimit))
  }

  deinit {
    state.withLock { state in
      for segment in state.segments { segment.deallocate() }
    }
  }

  /// Lets further allocations fail once `byteLimit` bytes more were given.
  func limit(to byteLimit: Int) { state.withLock { $0.byteLimit = byteLimit } }

  func allocateSegment(minimumByteCount: Int) throws(SegmentAllocationError) -> UnsafeMutableRawBufferPointer {
    let size = max(minimumByteCount, byteCount)
    return try state.withLock { state throws(SegmentAllocationError) in
      guard size <= state.byteLimit else {
        throw SegmentAllocationError(reason: "test limit", requestedByteCount: minimumByteCount)
      }
      state.byteLimit -= size
      let segment = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
      segment.initializeMemory(as: UInt8.self, repeating: 0xA5)
      state.segments.append(segment)
      return segment
    }
  }
}
