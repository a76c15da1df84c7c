import CapnProto
import SluiceMemory
import SluiceSchemas
import SluiceSystem
import SluiceWaiting

@testable import SluiceChannel
@testable import SluiceSession
@testable import SluiceTransport

/// A channel takes a conversation: frames that name a real segment, whose content is made up as well. All of it ends in
/// messages, or in a violation; messages are read whole, and the books are even in the end.
final class ChannelTarget: CarrierControl, Sendable {
  static let shared: ChannelTarget = {
    do {
      return try ChannelTarget()
    } catch {
      fatalError("\(error)")
    }
  }()

  static let segmentByteCount = 4096

  private let carrier: Carrier
  private let far: any Transport
  private let content: Segment
  private let returns: SluiceMemory.ReturnTable

  private init() throws {
    let (near, far) = try LoopbackTransport.pair(maxBlobSize: Envelope.largestFrameByteCount, queueLimit: 4096)
    self.far = far
    let reactor = Reactor.shared
    returns = try SluiceMemory.ReturnTable(name: "fuzz-returns", capacity: 64)
    let peerReturns = try SluiceMemory.ReturnTable(name: "fuzz-peer-returns", capacity: 64)
    let view = try ReturnTableView(
      segment: BorrowedSegment(
        peerReturns.segment.handle, name: "fuzz-peer-returns", byteCount: peerReturns.segment.byteCount), capacity: 64)
    let borrower = Borrower(returnTable: returns, owner: view)
    content = try Segment.create(name: "fuzz-content", byteCount: Self.segmentByteCount)
    try borrower.add(
      BorrowedSegment(content.handle, name: "fuzz-content", byteCount: Self.segmentByteCount), id: 0)
    carrier = Carrier(
      link: Link(over: near, reactor: reactor, window: 4), reactor: reactor, lender: try Lender(returns: view),
      borrower: borrower, arena: try Arena(name: "fuzz", scope: .session, byteLimit: 1 << 20), serverWideArena: nil)
    carrier.attach(self)
  }

  /// The input: the length of the content (2), the content, and frames, each with its length (1) before it; a frame lacks
  /// its lane header, whose kind goes before it (1).
  func run(_ input: [UInt8]) {
    var rest = input[...]
    func take(_ count: Int) -> ArraySlice<UInt8> {
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    let length = take(2)
    guard length.count == 2 else { return }
    let bytes = take((Int(length[length.startIndex]) << 8 | Int(length[length.startIndex + 1])) % Self.segmentByteCount)
    unsafe UnsafeMutableRawBufferPointer(start: content.baseAddress, count: Self.segmentByteCount).copyBytes(
      from: bytes)
    let core = ChannelCore(lane: 2, carrier: carrier, window: 4, owner: self)
    carrier.link.open(core.lane, receiver: core)
    let channel = Channel<ControlMessage>(core, metadata: .none)
    let stream = IncomingStream(window: 4)
    _ = try? core.begin(.stream(stream))
    conversation: while let head = take(2).optional {
      var frame: [UInt8] = [2, 0, 0, 0, head[head.startIndex + 1], 0, 0, 0] + take(Int(head[head.startIndex]))
      if frame.count < 8 { frame += [UInt8](repeating: 0, count: 8) }
      switch core.receive(frame.span.bytes) {
      case .done: break
      case .needsControl, .violation: break conversation
      }
    }
    while case .element(let call)? = core.requests.nextIfAny() {
      core.taken()
      read(call.content)
      if core.isWanted(call) { try? Request<ControlMessage>(call, on: channel).fail(code: 1, text: "no") }
    }
    while case .element(let content)? = core.notifications.nextIfAny() {
      core.taken()
      read(content)
    }
    while case .element(let content)? = stream.items.nextIfAny() { read(content) }
    core.close()
    precondition(core.state.withLock { $0.calls.count == 0 && $0.correlation.pendingCount == 0 })
    // What was said to the other end.
    while (try? far.tryReceive { _, _ in }) == .received {}
  }

  private func read(_ content: MessageContent) {
    let message = Message<ControlMessage>(content: content)
    _ = try? message.read { root in try? walk(root) }
    for handle in message.takeHandles() { _ = handle }
  }

  /// Reads what there is to read.
  private func walk(_ root: ControlMessage.Reader) throws {
    switch try root.which {
    case .hello(let hello):
      _ = try (hello.serverApp, hello.session, hello.metadata.byteCount, hello.returnTable.capacity)
      let channels = try hello.channels
      for index in channels.indices { _ = try channels[index].rootTypeName }
    case .refusal(let refusal): _ = try (refusal.message, refusal.versions.lowest)
    case .goodbye(let goodbye): _ = try goodbye.message
    case .segment(let segment): _ = try (segment.name, segment.byteCount)
    default: break
    }
  }

  static func seeds() -> [[UInt8]] {
    let bytes = (try? Control.goodbye(message: "bye").encoded()) ?? []
    let content = Array(bytes.dropFirst(8))
    func frame(_ envelope: Envelope, inline: [UInt8] = []) -> [UInt8] {
      let whole = EnvelopeTarget.encode(envelope).dropFirst(8)
      let body = whole.prefix(whole.count - inline.count) + inline
      return [UInt8(body.count), envelope.kind.isCharged ? 1 : 2] + body
    }
    let head = [UInt8(content.count >> 8), UInt8(content.count & 0xff)] + content
    return Envelope.Kind.allCases.map { kind in
      var envelope = Envelope(kind: kind, correlation: kind == .notification || kind == .finish ? 0 : 1)
      if kind == .failure { envelope.failure = .init(code: 1, text: "no") }
      guard kind.hasContent else { return head + frame(envelope) }
      var lent = envelope
      lent.lease = Lease(slot: 1, generation: 1)
      lent.parts = [.init(segmentID: 0, offset: 0, byteCount: UInt64(content.count))]
      envelope.inlineByteCount = content.count
      return head + frame(lent) + frame(envelope, inline: content)
    }
  }

  // MARK: What the carrier asks of a session

  func announce(_ segment: Segment, id: UInt32, scope: MemoryScope) {}
  func sendHandles(_ handles: [Handle], ticket: UInt32, lane: UInt32) -> OneShot<Bool>? { nil }
  func withdrawHandles(ticket: UInt32) {}
  func tellHandlesSettled(_ total: UInt64) {}
  func channelClosed(_ lane: UInt32) {}
  func retireSegment(_ id: UInt32) {}
  func share(_ segment: BorrowedSegment) -> SluiceChannel.SegmentShare { .unavailable }
}

extension ArraySlice {
  /// Nil if it does not have two elements.
  fileprivate var optional: Self? { count == 2 ? self : nil }
}
