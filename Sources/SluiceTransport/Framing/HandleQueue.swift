import SluiceSystem

/// Gives each frame of a stream its handles. A pure value: stream positions and handles in, handles out.
///
/// A frame's handles arrive with its first byte, all together, and one reading of the socket brings those of one frame at
/// most, perhaps together with bytes of frames before it. So handles belong to the frame that begins within the bytes
/// they came with. Whatever does not fit is the peer's fault.
struct HandleQueue: Sendable {
  private struct Arrival: Sendable {
    let positions: Range<UInt64>
    let handles: [Handle]
    let lost: Bool
  }

  /// What a frame's claim comes to.
  enum Claim: Sendable {
    case handles([Handle])
    /// Some were lost on their way in, for want of room in the descriptor table.
    case lost(received: Int)
  }

  // Never more than two: those of an unfinished frame, and those of the next one. `arrived` sees to it.
  private var arrivals: [Arrival] = []

  /// Notes what one reading brought.
  ///
  /// - Parameters:
  ///   - positions: The bytes it brought.
  ///   - frameStart: Where the first frame begins of which not all bytes had arrived before.
  ///   - isComplete: Whether that frame is whole now, so that another one may have begun.
  mutating func arrived(
    _ handles: [Handle], lost: Bool, with positions: Range<UInt64>, frameStart: UInt64, isComplete: Bool
  ) throws(FrameError) {
    if handles.isEmpty && !lost { return }
    // Without this, a peer could fill the descriptor table with a frame that it never ends.
    guard positions.contains(frameStart) || isComplete else {
      throw .handlesMismatch(announced: 0, received: handles.count)
    }
    arrivals.append(Arrival(positions: positions, handles: handles, lost: lost))
  }

  /// Takes the handles of a frame.
  ///
  /// - Parameters:
  ///   - count: How many the frame announces.
  ///   - frame: The positions of its bytes.
  mutating func claim(_ count: Int, for frame: Range<UInt64>) throws(FrameError) -> Claim {
    guard let first = arrivals.first else {
      guard count == 0 else { throw .handlesMismatch(announced: count, received: 0) }
      return .handles([])
    }
    guard count > 0 else {
      // They must be for a later frame, which begins within the same bytes.
      guard first.positions.upperBound > frame.upperBound else {
        throw .handlesMismatch(announced: 0, received: first.handles.count)
      }
      return .handles([])
    }
    guard first.positions.contains(frame.lowerBound) else {
      throw .handlesMismatch(announced: count, received: 0)
    }
    arrivals.removeFirst()
    if first.lost && first.handles.count <= count { return .lost(received: first.handles.count) }
    guard first.handles.count == count else {
      throw .handlesMismatch(announced: count, received: first.handles.count)
    }
    return .handles(first.handles)
  }

  /// Closes what nobody has claimed.
  mutating func removeAll() {
    arrivals.removeAll()
  }
}
