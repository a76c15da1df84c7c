import CapnProto
import CapnProtoReflection
import Foundation
import Sluice
import SluiceSchemas
import SluiceSession
import SluiceTransport
import Synchronization
import SystemPackage

/// Watches all that a session sends and receives, and calls `reach` at each step.
final class Tap: Sendable {
  private let reach: @Sendable (Step) -> Void
  private let schema: Schema.Struct
  private let link = Mutex(TappedLink())
  private let isLinkFull = Atomic<Bool>(false)

  /// The link of the last session, as long as that has it.
  private struct TappedLink {
    weak var transport: (any Transport)?
    var lane: UInt32 = 0
  }

  init(_ reach: @escaping @Sendable (Step) -> Void) throws {
    guard let schema = try SchemaRegistry(ControlMessage.self).structure(for: ControlMessage.self) else {
      throw MatrixError("the control protocol has no schema")
    }
    self.schema = schema
    self.reach = reach
  }

  /// Has a session's transports tapped.
  func install(in options: inout SessionOptions) {
    options.tap = { [self] (transport, role) in
      if role == .link { link.withLock { $0.transport = transport } }
      return TappedEnd(transport, role, self)
    }
  }

  /// Runs `body` while this end finds no room on the link.
  func withoutRoom(_ body: () async throws -> Void) async rethrows {
    isLinkFull.store(true, ordering: .relaxed)
    defer { isLinkFull.store(false, ordering: .relaxed) }
    try await body()
  }

  fileprivate func hasRoom(_ role: TappedTransport) -> Bool {
    role == .control || !isLinkFull.load(ordering: .relaxed)
  }

  fileprivate func passed(_ blob: RawSpan, _ role: TappedTransport, _ moment: Moment) {
    guard let passage = try? passage(blob, role) else { return }
    if case .envelope(.notification) = passage, moment == .sent, let header = LaneHeader(blob) {
      link.withLock { $0.lane = header.lane }
    }
    reach(Step(passage: passage, moment: moment))
  }

  private func passage(_ blob: RawSpan, _ role: TappedTransport) throws -> Passage? {
    switch role {
    case .control:
      let reader = try MessageReader<ControlMessage>(stream: blob.withUnsafeBytes { Array($0) })
      let schema = schema
      let root = try reader.root
      let name = member(DynamicStruct.Reader(root.raw, schema))
      return name.map { .control($0) }
    case .link:
      guard let header = LaneHeader(blob) else { return nil }
      guard header.kind == .charged || header.kind == .free else { return .lane(header.kind) }
      return .envelope(try Envelope(decoding: blob).kind)
    }
  }

  private func member(_ message: borrowing DynamicStruct.Reader) -> String? { message.which?.name }

  /// Sends an answer to a request that nobody made, on the lane of the last notification: one that crosses a cancellation.
  func sendLateAnswer() throws {
    let (transport, lane) = link.withLock { ($0.transport, $0.lane) }
    guard let transport else { throw MatrixError("no link yet") }
    var envelope = Envelope(kind: .failure, correlation: Envelope.largestCorrelation)
    envelope.failure = .init(code: 1, text: "late")
    var bytes = [UInt8](repeating: 0, count: envelope.frameByteCount)
    do {
      var span = bytes.mutableSpan
      var frame = span.mutableBytes
      envelope.encode(into: &frame)
      LaneHeader(lane: lane, kind: .free).encode(into: &frame)
    }
    guard try transport.trySend(bytes.span.bytes, handles: []) == .sent else { throw MatrixError("no room") }
  }
}

/// A transport whose frames are watched.
private final class TappedEnd: Transport {
  private let inner: any Transport
  private let role: TappedTransport
  private let tap: Tap

  init(_ inner: any Transport, _ role: TappedTransport, _ tap: Tap) {
    self.inner = inner
    self.role = role
    self.tap = tap
  }

  func trySend(_ blob: RawSpan, handles: [Handle]) throws(TransportError) -> SendOutcome {
    guard tap.hasRoom(role) else { return .wouldBlock }
    tap.passed(blob, role, .sending)
    let outcome = try inner.trySend(blob, handles: handles)
    if outcome == .sent { tap.passed(blob, role, .sent) }
    return outcome
  }

  func tryReceive(_ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void) throws(TransportError) -> ReceiveOutcome {
    try inner.tryReceive { blob, handles in
      tap.passed(blob, role, .receiving)
      body(blob, handles)
      tap.passed(blob, role, .received)
    }
  }

  var kind: TransportKind { inner.kind }
  var maxBlobSize: Int { inner.maxBlobSize }
  var carriesHandles: Bool { inner.carriesHandles }
  func flush() throws(TransportError) -> Bool { try inner.flush() }
  var hasUnsentBytes: Bool { inner.hasUnsentBytes }
  var readDescriptor: FileDescriptor { inner.readDescriptor }
  var writeDescriptor: FileDescriptor { inner.writeDescriptor }
  func waitToReceive(deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try inner.waitToReceive(deadline: deadline)
  }
  func waitToSend(byteCount: Int, deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try inner.waitToSend(byteCount: byteCount, deadline: deadline)
  }
  func finishSending() throws(TransportError) { try inner.finishSending() }
  func close() { inner.close() }
}
