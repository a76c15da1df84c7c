import SluiceMemory
import SluiceSystem

/// The segments of a session: those that the other end announces and gives up, and the list of all.
extension SessionCore {
  func map(_ announced: Control.AnnouncedSegment, _ handle: Handle) {
    guard let byteCount = Int(exactly: announced.byteCount) else {
      return finish(.protocolViolation("a segment of \(announced.byteCount) bytes"))
    }
    do {
      let segment = try BorrowedSegment(
        handle, name: announced.name, byteCount: byteCount, demanding: demand,
        options: parts.options.borrowedSegmentOptions)
      if announced.scope == .serverWide {
        // An object of its own for messages: what is known everywhere is referenced weakly, which makes it slow.
        let anchor = ServerWideSegments.shared.add(segment, borrower: parts.carrier.borrower)
        try parts.carrier.borrower.add(
          BorrowedSegment(sharing: segment, keeping: anchor, isShared: false), id: announced.id)
      } else {
        try parts.carrier.borrower.add(segment, id: announced.id)
      }
    } catch {
      return finish(.protocolViolation("the segment “\(announced.name)” cannot be borrowed: \(error)"))
    }
    state.withLock { state in
      state.borrowedSegments[announced.id] = SegmentInfo(
        name: announced.name, backing: parts.namedSegments.map { .named($0) } ?? .sealedMemory, scope: announced.scope,
        byteCount: byteCount, isBorrowed: true)
    }
    resumeDelivery()
  }

  /// What the other end's segments must be.
  private var demand: SegmentDemand {
    guard let access = parts.namedSegments else { return .sealed }
    return .named(owner: parts.peer.credentials.uid, access: access)
  }

  func unmap(_ id: UInt32) {
    let identity: SegmentIdentity
    do {
      identity = try parts.carrier.borrower.retire(id)
    } catch {
      return finish(.protocolViolation("the segment \(id) cannot be given up: \(error)"))
    }
    let info = state.withLock { $0.borrowedSegments.removeValue(forKey: id) }
    guard info?.scope == .serverWide else { return }
    for sharer in ServerWideSegments.shared.remove(identity) { sharer.unshare(identity) }
  }

  /// The other end waits for a return, and there was one. Not said at once: who releases a message may hold locks.
  func ring() {
    parts.reactor.perform { [weak self] in self?.parts.control.sendInsteadOfEarlier(.returned) }
  }

  /// Segments of this session, own and borrowed.
  var segments: [SegmentInfo] {
    let carrier = parts.carrier
    var own = carrier.arena.segments.map { SegmentInfo($0, scope: .session) }
    own.append(SegmentInfo(parts.returnTable.segment, scope: .session))
    own += (carrier.serverWideArena?.segments ?? []).map { SegmentInfo($0, scope: .serverWide) }
    own += parts.linkSegments + state.withLock { $0.ownLinks.sorted { $0.key < $1.key }.flatMap(\.value.segments) }
    return own + readWriteSegments
      + state.withLock { $0.borrowedSegments.sorted { $0.key < $1.key }.map(\.value) }
  }
}
