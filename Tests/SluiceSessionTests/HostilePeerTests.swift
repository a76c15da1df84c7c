import Foundation
import SluiceMemory
import SystemPackage
import TestSchema
import Testing

@testable import SluiceChannel
@testable import SluiceSession
@testable import SluiceSystem
@testable import SluiceTransport

/// A client that speaks the protocol and lies in it. Only its own session may suffer.
@Suite(.timeLimit(.minutes(2))) struct HostilePeerTests {
  /// What the lying end may touch.
  private struct Liar {
    let session: Session
    let lane: Lane
    /// An envelope that would be accepted as it is.
    let honest: Envelope

    /// Sends `envelope` on the lane, or on another.
    func send(_ envelope: Envelope, on lane: UInt32? = nil, charged: Bool = true) throws {
      var bytes = [UInt8](repeating: 0, count: envelope.frameByteCount)
      var span = bytes.mutableSpan
      var frame = span.mutableBytes
      envelope.encode(into: &frame)
      let link = session.core.parts.carrier.link
      _ = try link.trySend(&frame, on: lane.map { link.openDeaf($0) } ?? self.lane, charged: charged)
    }

    func say(_ control: Control, handles: [Handle] = []) {
      session.core.parts.control.send(control, handles: handles)
    }
  }

  /// Lies once, and expects the other end to end the session for it, naming `hint`; another session goes on.
  private func expectViolation(_ hint: String, _ lie: (Liar) throws -> Void) async throws {
    try await withRuntimeDirectory { directory in
      let name = directory.lastComponent?.string ?? ""
      let app = ServerApp(name, allowing: ["test-client"], runtimeDirectory: directory)
      do {
        let server = try SessionServer(app)
        // The liar lends all that it sends.
        var options = SessionOptions()
        options.inlineByteCount = 0
        var sessions = server.sessions.makeAsyncIterator()
        let bystander = try await ClientSession.connect(ClientApp("test-client"), to: app)
        let bystanding = try #require(try await sessions.next())
        let client = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
        let victim = try #require(try await sessions.next())
        async let opened = client.openChannel(Exchange.self)
        var channels = victim.channels(of: Exchange.self).makeAsyncIterator()
        let taken = try #require(try await channels.next())
        let channel = try await opened

        var note = try channel.makeMessage()
        note.root.number = 1
        try await channel.notify(note)
        var notes = taken.notifications.makeAsyncIterator()
        let received = try #require(try await notes.next())
        let honest = try channel.core.carrier.prepare(note.built, kind: .notification, correlation: 0, handles: [])
          .envelope

        // As if a task waited for something else from the liar: the victim sees each frame at once.
        victim.core.parts.carrier.link.beginSuspension()
        try lie(Liar(session: client, lane: channel.core.lane, honest: honest))
        let end = await victim.end()
        guard case .protocolViolation(let what) = end else {
          return #expect(Bool(false), "ended otherwise: \(String(describing: end))")
        }
        #expect(what.contains(hint), "\(what)")
        // What was received before stays readable, and nobody else suffers.
        #expect(try received.read { $0.number } == 1)
        async let asked = bystander.openChannel(Exchange.self)
        var others = bystanding.channels(of: Exchange.self).makeAsyncIterator()
        _ = try #require(try await others.next())
        _ = try await asked
        server.shutdown()
      }
    }
  }

  private func expectViolation(_ hint: String, changing change: @escaping (inout Envelope) -> Void) async throws {
    try await expectViolation(hint) { liar in
      var envelope = liar.honest
      change(&envelope)
      try liar.send(envelope)
    }
  }

  @Test func `a segment that can never be announced`() async throws {
    try await expectViolation("there can be no segment") { $0.parts[0].segmentID = 1 << 20 }
  }

  @Test func `an offset beyond the segment`() async throws {
    try await expectViolation("leave segment") { $0.parts[0].offset = 1 << 40 }
  }

  @Test func `an offset and a length that overflow`() async throws {
    try await expectViolation("leave segment") {
      $0.parts[0].offset = .max & ~7
      $0.parts[0].byteCount = .max & ~7
    }
  }

  @Test func `a length beyond the segment`() async throws {
    try await expectViolation("leave segment") { $0.parts[0].byteCount = 1 << 40 }
  }

  @Test func `an offset that is no word's`() async throws {
    try await expectViolation("on words") { $0.parts[0].offset += 4 }
  }

  @Test func `a lease without a slot`() async throws {
    try await expectViolation("has no slot") { $0.lease = Lease(slot: .max, generation: 1) }
  }

  @Test func `a message on a lane that was never opened`() async throws {
    try await expectViolation("never opened") { try $0.session.core.parts.carrier.link.sendForged(on: 4242) }
  }

  @Test func `a notification that pretends to be free`() async throws {
    try await expectViolation("wrong charge") { try $0.send($0.honest, charged: false) }
  }

  @Test func `credits that were never owed`() async throws {
    try await expectViolation("not owed") { try $0.session.core.parts.carrier.link.sendGrantForged(on: $0.lane) }
  }

  @Test func `a second handshake in an open session`() async throws {
    try await expectViolation("handshake") { liar in
      liar.say(.refusal(.init(reason: .serverBusy, message: "", versions: .current)))
    }
  }

  @Test func `a segment that is no memfd`() async throws {
    let announcement = Control.AnnouncedSegment(id: 1, name: "forged", byteCount: 4096, scope: .session)
    try await expectViolation("cannot be borrowed") { liar in
      liar.say(.segment(announcement), handles: [try Handle.open("/dev/zero", .readWrite)])
    }
    try await expectViolation("cannot be borrowed") { liar in
      let path = FilePath("/tmp/sluice-forged-\(UUID().uuidString)")
      let file = try Handle.open(path, .readWrite, options: [.create, .truncate], permissions: .ownerReadWrite)
      defer { try? FileManager.default.removeItem(atPath: path.string) }
      ftruncate(file.descriptor.rawValue, 4096)
      liar.say(.segment(announcement), handles: [file])
    }
  }

  @Test func `a memfd that is unsealed, lacks a seal, is empty or too small`() async throws {
    let announcement = Control.AnnouncedSegment(id: 1, name: "forged", byteCount: 4096, scope: .session)
    let all: SegmentSeals = .required
    let forgeries: [(byteCount: Int, seals: SegmentSeals, hint: String)] = [
      (4096, [], "its seals are"), (4096, all.subtracting(.futureWrite), "its seals are"),
      (4096, all.subtracting(.shrink), "its seals are"), (4096, all.subtracting(.grow), "its seals are"),
      (4096, all.subtracting(.seal), "its seals are"), (0, all, "it has 0 bytes"), (4095, all, "it has 4095 bytes"),
    ]
    for forgery in forgeries {
      try await expectViolation(forgery.hint) { liar in
        let memory = try Segment.createMemory(name: "forged")
        try #require(ftruncate(memory.descriptor.rawValue, forgery.byteCount) == 0)
        let addSeals: Int32 = 1033
        try #require(fcntl(memory.descriptor.rawValue, addSeals, forgery.seals.rawValue) == 0)
        liar.say(.segment(announcement), handles: [memory])
      }
    }
  }

  @Test func `a segment of another size than was announced`() async throws {
    try await expectViolation("cannot be borrowed") { liar in
      let segment = try Segment.create(name: "forged", byteCount: 8192)
      liar.say(
        .segment(.init(id: 1, name: "forged", byteCount: 4096, scope: .session)), handles: [segment.handle])
    }
  }

  @Test func `giving up a segment that was never announced, or that a held message stands in`() async throws {
    try await expectViolation("there can be no segment") { $0.say(.retireSegment(id: 9)) }
    try await expectViolation("while a message in it is lent") { $0.say(.retireSegment(id: 0)) }
  }

  @Test func `giving up a segment twice`() async throws {
    let segment = try Segment.create(name: "passing", byteCount: 4096)
    let announcement = Control.AnnouncedSegment(id: 1, name: "passing", byteCount: 4096, scope: .session)
    try await expectViolation("given up before") { liar in
      liar.say(.segment(announcement), handles: [segment.handle])
      liar.say(.retireSegment(id: 1))
      liar.say(.retireSegment(id: 1))
    }
  }

  @Test func `a segment of a third process that cannot be, and an answer that nobody asked for`() async throws {
    let identity = SegmentIdentity(device: 1, inode: 2)
    try await expectViolation("is due") { liar in
      liar.say(.shareSegment(.init(id: 7, byteCount: 4096, identity: identity)))
    }
    try await expectViolation("which nobody asked for") { $0.say(.segmentShared(id: 0, isMapped: true)) }
    // It is not mapped here: its number is spent, and nothing can be lent in it. Sent first, since the answer, which nobody
    // asked for, ends the liar's own session.
    try await expectViolation("given up before") { liar in
      var envelope = liar.honest
      envelope.parts[0].segmentID = 1
      try liar.send(envelope)
      liar.say(.shareSegment(.init(id: 1, byteCount: 4096, identity: identity)))
    }
  }

  @Test func `returns of what is not held, twice or never, harm nobody else`() async throws {
    try await expectViolation("handshake") { liar in
      // Everything that it could ever have been lent, again and again.
      let table = liar.session.core.parts.returnTable
      for generation in 1...50 as ClosedRange<UInt32> {
        for slot in 0..<100 as Range<UInt32> { table.returnLease(Lease(slot: slot, generation: generation)) }
      }
      for _ in 0..<100 { liar.say(.returned) }
      liar.say(.refusal(.init(reason: .serverBusy, message: "", versions: .current)))
    }
  }

  @Test func `a channel opened on a lane of the other end, or twice`() async throws {
    let opening = Control.ChannelOpening(lane: 1, rootTypeID: 1, rootTypeName: "", metadata: .none)
    try await expectViolation("out of order") { $0.say(.openChannel(opening)) }
    try await expectViolation("out of order") { liar in
      var again = opening
      again.lane = liar.lane.number
      liar.say(.openChannel(again))
    }
  }

  @Test func `an answer to what nobody asked`() async throws {
    try await expectViolation("nobody asked") { $0.say(.channelOpened(lane: 7, link: nil)) }
  }

  @Test func `more openings than may be without an answer`() async throws {
    try await expectViolation("without an answer") { liar in
      for number in 1...3000 as ClosedRange<UInt32> {
        liar.say(
          .openChannel(.init(lane: liar.lane.number + 2 * number, rootTypeID: 9, rootTypeName: "", metadata: .none)))
      }
    }
  }

  @Test func `more handles than may be unclaimed`() async throws {
    try await expectViolation("unclaimed") { liar in
      let handle = try Handle.open("/dev/null", .readOnly)
      for ticket in 1...513 as ClosedRange<UInt32> {
        liar.say(.handles(ticket: ticket, lane: 0), handles: [handle])
      }
    }
  }

  @Test func `handles for links that there are not, without end, are closed`() async throws {
    try await expectViolation("twice") { liar in
      let handle = try Handle.open("/dev/null", .readOnly)
      let carrier = liar.session.core.parts.carrier
      for ticket in 1...2000 as ClosedRange<UInt32> {
        // Else it would not believe that they wait no more.
        while !carrier.handleSending.withLock({ $0.credits.take(1) }) { WorkerThread.yield() }
        liar.say(.handles(ticket: ticket, lane: 4242), handles: [handle])
      }
      for _ in 0..<2 { liar.say(.handles(ticket: 9999, lane: 0), handles: [handle]) }
    }
  }

  @Test func `other handles than an envelope claims`() async throws {
    try await expectViolation("claims 1 handles; 2 were sent") { liar in
      let handle = try Handle.open("/dev/null", .readOnly)
      liar.say(.handles(ticket: 99, lane: 0), handles: [handle, handle])
      var envelope = liar.honest
      (envelope.handleCount, envelope.handleTicket) = (1, 99)
      try liar.send(envelope)
    }
  }

  @Test func `a claim of handles that were never sent does not hold up the control socket`() async throws {
    try await expectViolation("never sent") { liar in
      var envelope = liar.honest
      (envelope.handleCount, envelope.handleTicket) = (1, 99)
      try liar.send(envelope)
      liar.say(.handlesSettled(total: 1))
    }
  }

  @Test func `handles that wait no more, and were never sent`() async throws {
    try await expectViolation("never sent") { $0.say(.handlesSettled(total: 1)) }
    try await expectViolation("never sent") { $0.say(.handlesSettled(total: .max)) }
  }

  @Test func `handles twice under one ticket`() async throws {
    try await expectViolation("twice") { liar in
      for _ in 0..<2 { liar.say(.handles(ticket: 99, lane: 0), handles: [try Handle.open("/dev/null", .readOnly)]) }
    }
  }
}

extension Link {
  /// Opens a lane at this end only.
  fileprivate func openDeaf(_ number: UInt32) -> Lane {
    let lane = makeLane(number)
    open(lane, receiver: NoReceiver())
    return lane
  }

  /// Opens a lane at this end only, and sends a message on it.
  fileprivate func sendForged(on number: UInt32) throws {
    let lane = openDeaf(number)
    var envelope = Envelope(kind: .notification, correlation: 0)
    envelope.parts = [.init(segmentID: 0, offset: 0, byteCount: 8)]
    var bytes = [UInt8](repeating: 0, count: envelope.frameByteCount)
    var span = bytes.mutableSpan
    var frame = span.mutableBytes
    envelope.encode(into: &frame)
    _ = try trySend(&frame, on: lane, charged: true)
  }

  /// Makes this end's books owe credits that the other end never spent.
  fileprivate func sendGrantForged(on lane: Lane) throws {
    for _ in 0..<100 { frameTaken(on: lane) }
  }
}

private final class NoReceiver: LaneReceiver {
  func receive(_ frame: RawSpan) -> LaneDelivery { .done }
  func closedByPeer() {}
}
