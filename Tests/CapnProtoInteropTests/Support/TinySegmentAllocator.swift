import CapnProto
import Synchronization

/// Segments of 4 words or exactly what is asked for, so that messages get many, and pointers between them far and double-far.
final class TinySegmentAllocator: SegmentAllocator {
  private struct State: @unchecked Sendable {
    var segments: [UnsafeMutableRawBufferPointer] = []
  }

  private let state = Mutex(State())

  deinit {
    state.withLock { state in state.segments.forEach { $0.deallocate() } }
  }

  func allocateSegment(minimumByteCount: Int) throws(SegmentAllocationError) -> UnsafeMutableRawBufferPointer {
    let segment = UnsafeMutableRawBufferPointer.allocate(byteCount: max(minimumByteCount, 32), alignment: 8)
    // The builder promises to zero what it hands out.
    segment.initializeMemory(as: UInt8.self, repeating: 0xa5)
    state.withLock { state in state.segments.append(segment) }
    return segment
  }
}

extension SegmentAllocator where Self == TinySegmentAllocator {
  static var tiny: TinySegmentAllocator { TinySegmentAllocator() }
}

/// How a test's message is cut into segments.
enum Segmentation: CaseIterable, Sendable {
  case roomy, tiny

  var allocator: any SegmentAllocator {
    switch self {
    case .roomy: HeapSegmentAllocator()
    case .tiny: TinySegmentAllocator()
    }
  }
}
