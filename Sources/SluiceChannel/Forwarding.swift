import CapnProto
import SluiceMemory
import SluiceSystem
import SluiceWaiting

// Sending a received message on, to a third process.
//
// Where the third process has mapped the server-wide segment too in which the message stands, it is read there: no byte is
// copied, and this process keeps its own lease until the third one has returned what it was lent. Everything else is
// copied into the memory of the session that it goes to, and counted (`messagesCopied`): whoever maps a segment can read all
// of it, so a segment of one session is not shown to another.

/// Whether the other end of a session reads a third process's segment in place.
package enum SegmentShare: Sendable {
  /// It does, under this id.
  case shared(UInt32)
  /// It cannot: messages in that segment are copied.
  case unavailable
  /// It was asked; worth another look after the signal.
  case asked(OneShot<Bool>)
}

extension Carrier {
  /// What became of an attempt to send a received message on.
  enum Forwarding: ~Copyable {
    case ready(Outgoing)
    case undecided(OneShot<Bool>)
  }

  /// Lends a received message to the other end: where it stands, if the other end has it mapped, else a copy. What came in a
  /// frame goes on in one; `content` must be kept until it is sent.
  func prepare(
    forwarding content: MessageContent, kind: Envelope.Kind, correlation: UInt64
  ) throws(ChannelError) -> Forwarding {
    let parts = content.lentParts
    var envelope = Envelope(kind: kind, correlation: correlation)
    if let own = unsafe content.inlineBytes {
      envelope.inlineByteCount = own.count
      return .ready(unsafe Outgoing(envelope: envelope, handles: [], inline: own))
    }
    // What came from another process than its owner goes on as a copy: its owner knows of the first to pass it on only.
    if parts.contains(where: { $0.segment.isShared }) { return .ready(try copy(parts, envelope)) }
    for part in parts {
      switch share(part.segment) {
      case .asked(let signal): return .undecided(signal)
      case .unavailable: return .ready(try copy(parts, envelope))
      case .shared(let id):
        envelope.parts.append(
          Envelope.Part(
            segmentID: id, offset: UInt64(part.offset), byteCount: UInt64(unsafe part.bytes.count)))
      }
    }
    content.showToOthers()
    do {
      envelope.lease = try lender.lend(content, isBorrowed: true)
    } catch {
      throw .tooManyLeases(error)
    }
    return .ready(Outgoing(envelope: envelope))
  }

  private func copy(_ parts: [BorrowedBytes], _ empty: Envelope) throws(ChannelError) -> Outgoing {
    let memory = makeMemory()
    var envelope = empty
    envelope.parts = []
    var byteCount = 0
    do {
      for part in parts {
        // Sound: the part is kept; the target has at least the bytes it was asked for.
        let target = unsafe try memory.allocateSegment(minimumByteCount: max(8, part.bytes.count))
        unsafe target.copyMemory(from: part.bytes)
        byteCount += unsafe part.bytes.count
      }
    } catch {
      throw ChannelError(error)
    }
    try lend(memory, count: parts.count, in: &envelope) { unsafe parts[$0].bytes.count }
    countCopy(byteCount: byteCount)
    return Outgoing(envelope: envelope)
  }
}

extension ChannelCore {
  func prepare(
    forwarding content: MessageContent, kind: Envelope.Kind, correlation: UInt64, deadline: ContinuousClock.Instant?
  ) async throws(ChannelError) -> Carrier.Outgoing {
    while true {
      switch try carrier.prepare(forwarding: content, kind: kind, correlation: correlation) {
      case .ready(let outgoing): return outgoing
      case .undecided(let signal):
        let timer = deadline.map { carrier.reactor.schedule(at: $0) { signal.fulfill(false) } }
        defer { timer?.cancel() }
        guard await signal.wait(onCancel: false) else { throw Task.isCancelled ? .cancelled : gaveUp }
      }
    }
  }

  func prepareSync(
    forwarding content: MessageContent, kind: Envelope.Kind, correlation: UInt64, deadline: ContinuousClock.Instant?
  ) throws(ChannelError) -> Carrier.Outgoing {
    while true {
      switch try carrier.prepare(forwarding: content, kind: kind, correlation: correlation) {
      case .ready(let outgoing): return outgoing
      case .undecided(let signal):
        guard signal.waitBlocking(deadline: deadline, onTimeout: false) else { throw gaveUp }
      }
    }
  }

  /// Why nobody answered: the channel's end, if it has ended, else the deadline.
  private var gaveUp: ChannelError { endedWith ?? .timedOut }
}

extension Channel {
  /// Sends a received message on, as a message that expects no answer: in place if the other end may read it where it
  /// stands, else as a copy. Handles that came with it do not go along.
  ///
  /// A message that is read in place stays as it is until the other end has released it, also when this process dies. Sent on
  /// once more, it is copied.
  ///
  /// - Parameters:
  ///   - message: Received on any channel of any session of this process.
  ///   - timeout: How long to wait for credit and room; nil for ever.
  public func notify(
    forwarding message: Message<Root>, timeout: Duration? = nil
  ) async throws(ChannelError) {
    defer { withExtendedLifetime(message) {} }
    let deadline = ChannelCore.deadline(timeout)
    let outgoing = try await core.prepare(
      forwarding: message.content, kind: .notification, correlation: 0, deadline: deadline)
    try await core.send(outgoing, deadline: deadline)
  }

  /// As ``notify(forwarding:timeout:)``, but blocks the thread.
  public func notifySync(forwarding message: Message<Root>, timeout: Duration? = nil) throws(ChannelError) {
    defer { withExtendedLifetime(message) {} }
    let deadline = ChannelCore.deadline(timeout)
    let outgoing = try core.prepareSync(
      forwarding: message.content, kind: .notification, correlation: 0, deadline: deadline)
    try core.sendSync(outgoing, deadline: deadline)
  }

  /// Sends a received message on as a request, and waits for its response; see ``notify(forwarding:timeout:)`` and
  /// ``request(_:handles:timeout:)``.
  public func request(
    forwarding message: Message<Root>, timeout: Duration? = nil
  ) async throws(ChannelError) -> Message<Root> {
    let deadline = ChannelCore.deadline(timeout)
    defer { withExtendedLifetime(message) {} }
    var pending = try core.begin()
    defer { core.giveUp(&pending) }
    do {
      var outgoing = try await core.prepare(
        forwarding: message.content, kind: .request, correlation: pending.correlation, deadline: deadline)
      outgoing.envelope.timeout = ChannelCore.wireTimeout(timeout)
      try await core.send(outgoing, deadline: deadline)
    } catch {
      core.withdraw(pending)
      throw error
    }
    return Message(content: try await core.awaitAnswer(pending, deadline: deadline))
  }

  /// As ``request(forwarding:timeout:)``, but blocks the thread.
  public func requestSync(
    forwarding message: Message<Root>, timeout: Duration? = nil
  ) throws(ChannelError) -> Message<Root> {
    let deadline = ChannelCore.deadline(timeout)
    defer { withExtendedLifetime(message) {} }
    var pending = try core.begin()
    defer { core.giveUp(&pending) }
    do {
      var outgoing = try core.prepareSync(
        forwarding: message.content, kind: .request, correlation: pending.correlation, deadline: deadline)
      outgoing.envelope.timeout = ChannelCore.wireTimeout(timeout)
      try core.sendSync(outgoing, deadline: deadline)
    } catch {
      core.withdraw(pending)
      throw error
    }
    return Message(content: try core.awaitAnswerSync(pending, deadline: deadline))
  }
}

extension Request {
  /// Answers with a message that was received elsewhere; see ``Channel/notify(forwarding:timeout:)`` and
  /// ``reply(_:handles:)``.
  public func reply(forwarding message: Message<Root>) async throws(ChannelError) {
    guard !call.isAnswered else { throw .alreadyAnswered }
    defer { withExtendedLifetime(message) {} }
    let outgoing = try await channel.core.prepare(
      forwarding: message.content, kind: .response, correlation: call.number, deadline: nil)
    try channel.core.claim(call, for: outgoing)
    try await channel.core.send(outgoing, answering: call)
  }

  /// As ``reply(forwarding:)``, but blocks the thread.
  public func replySync(forwarding message: Message<Root>) throws(ChannelError) {
    guard !call.isAnswered else { throw .alreadyAnswered }
    defer { withExtendedLifetime(message) {} }
    let outgoing = try channel.core.prepareSync(
      forwarding: message.content, kind: .response, correlation: call.number, deadline: nil)
    try channel.core.claim(call, for: outgoing)
    try channel.core.sendSync(outgoing, answering: call)
  }
}
