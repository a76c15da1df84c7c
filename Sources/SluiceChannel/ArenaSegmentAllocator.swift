import CapnProto
import SluiceMemory
import SluiceSystem
import Synchronization

/// The memory of one message in an arena: what a message builder writes to, what a lease keeps.
///
/// It owns what it allocated and frees it when the last who holds it lets go: the builder, and each lease. Thread-safe.
public final class ArenaSegmentAllocator: SegmentAllocator, LentMemory {
  /// Where a segment of the message stands.
  @safe struct Placed: Sendable {
    nonisolated(unsafe) let base: UnsafeMutableRawPointer
    let byteCount: Int
    let segment: Segment
    let offset: Int
  }

  /// Smallest piece that is allocated for a message, in bytes.
  private static let smallestPiece = 1024
  /// Largest piece that is allocated ahead of need, in bytes.
  private static let largestPieceAhead = 1 << 20

  /// The arena that the memory is of.
  public let arena: Arena
  private let makeRoom: @Sendable () -> Void
  private let state = Mutex<[Placed]>([])

  /// The memory of a new message in `arena`. When the arena is at its limit, `makeRoom` books what borrowers have
  /// returned, and the allocation is tried once more.
  public init(in arena: Arena, makeRoom: @escaping @Sendable () -> Void) {
    self.arena = arena
    self.makeRoom = makeRoom
  }

  deinit {
    state.withLock { placed in
      for piece in placed { unsafe arena.deallocate(piece.base) }
    }
  }

  /// The message's segments, in order.
  var placed: [Placed] { state.withLock { $0 } }

  /// What the message takes in the arena, in bytes.
  public var lentByteCount: Int { state.withLock { $0.reduce(0) { $0 + $1.byteCount } } }

  /// Gives the next segment, in the arena; see `SegmentAllocator`.
  public func allocateSegment(
    minimumByteCount: Int
  ) throws(SegmentAllocationError) -> UnsafeMutableRawBufferPointer {
    unsafe try state.withLock { placed throws(SegmentAllocationError) in
      let soFar = placed.reduce(0) { $0 + $1.byteCount }
      let ahead = min(max(Self.smallestPiece, soFar), Self.largestPieceAhead)
      let wanted = max(minimumByteCount, ahead)
      let memory = unsafe try allocate(wanted)
      // Sound: `allocate` gave a base.
      guard let base = memory.baseAddress, let location = unsafe arena.locate(base) else {
        throw SegmentAllocationError(
          reason: "the arena gave memory outside of its segments", requestedByteCount: wanted)
      }
      let usable = memory.count & ~7
      unsafe placed.append(
        Placed(base: base, byteCount: usable, segment: location.segment, offset: location.offset))
      return unsafe UnsafeMutableRawBufferPointer(start: base, count: usable)
    }
  }

  private func allocate(_ byteCount: Int) throws(SegmentAllocationError) -> UnsafeMutableRawBufferPointer {
    do {
      return unsafe try arena.allocate(byteCount: byteCount)
    } catch {
      makeRoom()
    }
    do {
      return unsafe try arena.allocate(byteCount: byteCount)
    } catch {
      throw SegmentAllocationError(reason: "\(error)", requestedByteCount: byteCount, cause: error)
    }
  }
}
