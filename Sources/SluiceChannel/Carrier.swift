import CapnProto
import SluiceMemory
import SluiceSystem
import SluiceTransport
import SluiceWaiting
import Synchronization

/// What a session does for its channels on the control socket. None of it blocks.
package protocol CarrierControl: AnyObject, Sendable {
  /// Tells the other end of a segment before the first envelope that names it.
  func announce(_ segment: Segment, id: UInt32, scope: MemoryScope)
  /// Tells the other end that a segment it knows is given up.
  func retireSegment(_ id: UInt32)
  /// Whether the other end reads a third process's segment in place.
  func share(_ segment: BorrowedSegment) -> SegmentShare
  /// Sends the handles of a message before its envelope, which goes on the own link of `lane`, or with 0 on the session's.
  /// Not sent, but worth another attempt after the signal, if one is returned.
  func sendHandles(_ handles: [Handle], ticket: UInt32, lane: UInt32) -> OneShot<Bool>?
  /// Takes back what ``sendHandles(_:ticket:lane:)`` sent: the envelope will not come.
  func withdrawHandles(ticket: UInt32)
  /// Tells the other end how many of its handles wait for envelopes no more, in all. Called under a lock.
  func tellHandlesSettled(_ total: UInt64)
  /// A channel was closed, by whichever end: it needs the session no more.
  func channelClosed(_ lane: UInt32)
}

/// Carries the messages of all channels of one session: lends and borrows their memory, and sends their envelopes.
///
/// Thread-safe.
package final class Carrier: Sendable {
  /// What was carried so far.
  package struct Counters: Sendable {
    /// Messages whose memory the other end may not map, so that they had to be copied, and their bytes.
    package var messagesCopied: UInt64 = 0
    package var bytesCopied: UInt64 = 0
    /// Messages that arrived for a channel that was closed before.
    package var messagesDropped: UInt64 = 0
  }

  /// The session's link. Channels may have one of their own.
  package let link: Link
  package let reactor: Reactor
  package let lender: Lender
  package let borrower: Borrower
  /// The session's own arena.
  package let arena: Arena
  /// The arena that this end shows to all its sessions, if it has one.
  package let serverWideArena: Arena?

  /// Messages of up to so many bytes go in their frames: one copy costs less than a lease.
  package let inlineLimit: Int

  /// What ``inlineLimit`` is unless somebody chooses.
  package static let defaultInlineLimit = 512
  /// Most bytes of content in a frame: messages in private memory go so up to here.
  package static let largestInlineByteCount = Envelope.largestFrameByteCount - Envelope.contentOffset

  private let control = Mutex(WeakControl())
  private let counting = Mutex(Counters())
  let unclaimedHandles = Mutex(UnclaimedHandles())
  let handleSending = Mutex(HandleSending())
  private let lastTicket = Atomic<UInt32>(0)

  private struct WeakControl {
    weak var control: (any CarrierControl)?
  }

  package init(
    link: Link, reactor: Reactor, lender: Lender, borrower: Borrower, arena: Arena,
    serverWideArena: Arena?, inlineLimit: Int = defaultInlineLimit
  ) {
    self.link = link
    self.reactor = reactor
    self.lender = lender
    self.borrower = borrower
    self.arena = arena
    self.serverWideArena = serverWideArena
    self.inlineLimit = min(inlineLimit, Self.largestInlineByteCount)
  }

  /// Names who speaks on the control socket. Before the first message.
  package func attach(_ control: any CarrierControl) {
    self.control.withLock { $0.control = control }
  }

  package var counters: Counters { counting.withLock { $0 } }

  func count(_ change: (inout Counters) -> Void) {
    counting.withLock { change(&$0) }
  }

  var attachedControl: (any CarrierControl)? { control.withLock { $0.control } }

  /// The memory of a new message of this session: what was released is free again.
  func makeMemory() -> ArenaSegmentAllocator {
    lender.drainIfLent()
    return ArenaSegmentAllocator(in: arena) { [lender] in lender.drain() }
  }

  func laneClosed(_ lane: UInt32) {
    attachedControl?.channelClosed(lane)
  }

  /// Whether the other end may read a received message where it stands.
  func share(_ segment: BorrowedSegment) -> SegmentShare { attachedControl?.share(segment) ?? .unavailable }

  /// Tells the other end to unmap segments that an arena has given up, as far as it knows them.
  package func retire(_ segments: [Segment]) {
    for segment in segments {
      lender.retire(segment) { attachedControl?.retireSegment($0) }
    }
  }

  // MARK: Sending

  /// A message on its way: its envelope, and what has to be undone when it does not go. Moved, never copied.
  @safe struct Outgoing: ~Copyable, Sendable {
    var envelope: Envelope
    /// Nil for none.
    let handles: [Handle]?
    /// Whether the handles were sent, and the lane's credit taken, if it costs one.
    var handlesAreSent = false
    /// What goes in the frame. Sound: read only while who sends borrows the message.
    nonisolated(unsafe) let inline: UnsafeRawBufferPointer?

    init(envelope: Envelope, handles: [Handle] = []) {
      self.envelope = envelope
      self.handles = handles.isEmpty ? nil : handles
      unsafe inline = nil
    }

    @unsafe init(envelope: Envelope, handles: [Handle], inline: UnsafeRawBufferPointer) {
      self.envelope = envelope
      self.handles = handles.isEmpty ? nil : handles
      unsafe self.inline = inline
    }

    /// A message that somebody waits for costs no credit.
    var isCharged: Bool { envelope.kind.isCharged }

    /// How long the message is.
    var byteCount: Int {
      var count = envelope.inlineByteCount
      envelope.parts.forEachPart { count += Int(truncatingIfNeeded: $0.byteCount) }
      return count
    }
  }

  /// Lends the memory of `message`, which its caller borrows until it is sent, to the other end; copies it only where the
  /// other end may not map it.
  func prepare(
    _ message: BuiltSegments, kind: Envelope.Kind, correlation: UInt64, handles: [Handle]
  ) throws(ChannelError) -> Outgoing {
    if let failure = message.failure { throw ChannelError(failure) }
    guard message.segmentCount <= Envelope.segmentCountLimit else {
      throw .tooManySegments(message.segmentCount, limit: Envelope.segmentCountLimit)
    }
    guard handles.count <= Envelope.handleCountLimit else {
      throw .tooManyHandles(handles.count, limit: Envelope.handleCountLimit)
    }
    var envelope = Envelope(kind: kind, correlation: correlation)
    if !handles.isEmpty {
      envelope.handleCount = UInt8(handles.count)
      envelope.handleTicket = lastTicket.wrappingAdd(1, ordering: .relaxed).newValue
    }
    let shared = message.allocator as? ArenaSegmentAllocator
    if message.segmentCount == 1 {
      // In its frame goes what is small, or in private memory and fits.
      let content = unsafe message.segment(at: 0)
      let limit = shared == nil ? Self.largestInlineByteCount : inlineLimit
      if content.count > 0, content.count <= limit {
        envelope.inlineByteCount = content.count
        return unsafe Outgoing(envelope: envelope, handles: handles, inline: content)
      }
    }
    if let shared, shared.arena === arena || shared.arena === serverWideArena {
      try lend(shared, count: message.segmentCount, in: &envelope) { unsafe message.segment(at: $0).count }
    } else {
      try lend(try copy(message), count: message.segmentCount, in: &envelope) { unsafe message.segment(at: $0).count }
    }
    return Outgoing(envelope: envelope, handles: handles)
  }

  /// Lends the first `count` segments of `memory`, as far as they are used, and names them in `envelope`.
  func lend(
    _ memory: ArenaSegmentAllocator, count: Int, in envelope: inout Envelope, byteCount: (Int) -> Int
  ) throws(ChannelError) {
    let placed = memory.placed
    let scope = memory.arena === arena ? MemoryScope.session : .serverWide
    var parts = Envelope.Parts()
    parts.reserveCapacity(count)
    do throws(LeaseError) {
      envelope.lease = try lender.lend(
        memory, partCount: min(count, placed.count), segment: { placed[$0].segment },
        announce: { segment, id in attachedControl?.announce(segment, id: id, scope: scope) },
        named: { index, id in
          parts.append(
            Envelope.Part(segmentID: id, offset: UInt64(placed[index].offset), byteCount: UInt64(byteCount(index))))
        })
    } catch {
      throw .tooManyLeases(error)
    }
    envelope.parts = parts
  }

  /// A copy of `message` in memory that the other end may map.
  private func copy(_ message: BuiltSegments) throws(ChannelError) -> ArenaSegmentAllocator {
    let copy = makeMemory()
    var byteCount = 0
    do {
      for index in 0..<message.segmentCount {
        // Sound: both stand for the time of the copy; the target has at least the bytes it was asked for.
        let source = unsafe message.segment(at: index)
        let target = unsafe try copy.allocateSegment(minimumByteCount: max(8, source.count))
        unsafe target.copyMemory(from: source)
        byteCount += source.count
      }
    } catch {
      throw ChannelError(error)
    }
    countCopy(byteCount: byteCount)
    return copy
  }

  /// Counts a message that had to be copied.
  func countCopy(byteCount: Int) {
    count {
      $0.messagesCopied += 1
      $0.bytesCopied += UInt64(byteCount)
    }
  }

  /// Sends the handles and the envelope, as far as room and credit allow.
  func trySend(_ outgoing: inout Outgoing, on lane: Lane, of link: Link) throws(ChannelError) -> Link.SendOutcome {
    if let handles = outgoing.handles, !outgoing.handlesAreSent {
      if let obstacle = sendHandles(handles, of: outgoing, on: lane, of: link) { return obstacle }
      outgoing.handlesAreSent = true
    }
    do {
      return try sendFrame(outgoing, on: lane, of: link)
    } catch {
      throw .transport(error)
    }
  }

  /// Frames of up to so many bytes, which most are, are made in registers and on the stack.
  private static let smallFrameByteCount = 64

  private func sendFrame(
    _ outgoing: borrowing Outgoing, on lane: Lane, of link: Link
  ) throws(TransportError) -> Link.SendOutcome {
    let byteCount = outgoing.envelope.frameByteCount
    if byteCount <= Self.smallFrameByteCount {
      var bytes = InlineArray<64, UInt8>(repeating: 0)
      var span = bytes.mutableSpan
      // Sound: integers have no padding.
      var all = unsafe span.mutableBytes
      var frame = all._mutatingExtracting(first: byteCount)
      encode(outgoing, into: &frame)
      return try link.trySend(&frame, on: lane, charged: outgoing.isCharged, isPaid: outgoing.handlesAreSent)
    }
    return unsafe try withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 8) {
      buffer throws(TransportError) in
      // Sound: the span covers the allocation, which every byte of is written before it is read.
      unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
      var frame = unsafe MutableRawSpan(_unsafeBytes: buffer)
      encode(outgoing, into: &frame)
      return try link.trySend(&frame, on: lane, charged: outgoing.isCharged, isPaid: outgoing.handlesAreSent)
    }
  }

  @inline(__always)
  private func encode(_ outgoing: borrowing Outgoing, into frame: inout MutableRawSpan) {
    outgoing.envelope.encode(into: &frame)
    guard let content = unsafe outgoing.inline else { return }
    unsafe frame.withUnsafeMutableBytes { bytes in
      // Sound: the frame has room for the content behind its header, and both stand for the time of the copy.
      unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[Envelope.contentOffset...]).copyMemory(from: content)
    }
  }

  /// Undoes ``prepare(_:kind:correlation:handles:)`` for a message that will not go.
  func abandon(_ outgoing: borrowing Outgoing, on lane: Lane, of link: Link) {
    if !outgoing.envelope.parts.isEmpty { lender.takeBack(outgoing.envelope.lease) }
    guard outgoing.handlesAreSent else { return }
    attachedControl?.withdrawHandles(ticket: outgoing.envelope.handleTicket)
    if outgoing.isCharged { link.putBackCredit(on: lane) }
  }

  // MARK: Receiving

  /// What became of an envelope's content.
  enum Admission {
    case admitted(MessageContent)
    case needsControl
    /// Nothing is taken any more: the session has ended, or its link.
    case ended
    case violation(String)
  }

  /// Checks each field of `envelope` against what was announced, and borrows what it names.
  ///
  /// - Parameter frame: Where the envelope stands, and the content if that goes in the frame.
  func admit(_ envelope: Envelope, in frame: RawSpan) -> Admission {
    if envelope.handleCount > 0, !haveHandlesArrived(envelope.handleTicket) { return .needsControl }
    var parts = BorrowedParts(minimumCapacity: envelope.parts.count)
    if !envelope.parts.isEmpty {
      do {
        let outcome = try borrower.borrow(
          envelope.lease, partCount: envelope.parts.count,
          part: {
            let part = envelope.parts[$0]
            return (part.segmentID, part.offset, part.byteCount)
          }, found: { parts.append($0) })
        switch outcome {
        case .taken: break
        case .unannounced: return .needsControl
        case .ended: return .ended
        }
      } catch {
        return .violation("a message that cannot be borrowed: \(error)")
      }
    }
    do {
      let handles: [Handle]?
      switch try claim(envelope) {
      case .none: handles = nil
      case .handles(let claimed): handles = claimed
      case .gone:
        if !envelope.parts.isEmpty { borrower.giveBack(envelope.lease) }
        return .ended
      }
      return .admitted(try content(of: envelope, consume parts, handles, in: frame))
    } catch {
      // The session ends with this; what was borrowed goes back all the same.
      if !envelope.parts.isEmpty { borrower.giveBack(envelope.lease) }
      return .violation(error.text)
    }
  }

  private struct Violation: Error {
    let text: String
  }

  private enum Claim {
    case none
    case handles([Handle])
    /// They had arrived, and were closed meanwhile: withdrawn, or their link has ended.
    case gone
  }

  /// The handles of an envelope, which have arrived.
  private func claim(_ envelope: Envelope) throws(Violation) -> Claim {
    guard envelope.handleCount > 0 else { return .none }
    guard let claimed = claimHandles(envelope.handleTicket) else { return .gone }
    guard claimed.count == Int(envelope.handleCount) else {
      throw Violation(text: "an envelope claims \(envelope.handleCount) handles; \(claimed.count) were sent")
    }
    return .handles(claimed)
  }

  private func content(
    of envelope: Envelope, _ parts: consuming BorrowedParts, _ handles: [Handle]?, in frame: RawSpan
  ) throws(Violation) -> MessageContent {
    do {
      if envelope.inlineByteCount > 0 {
        return try MessageContent(inline: frame.extracting(Envelope.contentOffset...), handles: handles)
      }
      return try MessageContent(parts: parts, lease: envelope.lease, borrower: borrower, handles: handles)
    } catch {
      throw Violation(text: "a message that cannot be read: \(error)")
    }
  }

  /// Drops a message that arrived for a channel that is closed: its lease goes back.
  package func drop(_ frame: RawSpan) -> LaneDelivery {
    let envelope: Envelope
    do {
      envelope = try Envelope(decoding: frame)
    } catch {
      return .violation("\(error)")
    }
    guard envelope.kind.hasContent else { return .done }
    count { $0.messagesDropped += 1 }
    switch admit(envelope, in: frame) {
    case .admitted, .ended: return .done  // released right here
    case .needsControl: return .needsControl
    case .violation(let what): return .violation(what)
    }
  }
}
