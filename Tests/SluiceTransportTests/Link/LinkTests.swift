import SluiceSystem
import SluiceWaiting
import Testing

@testable import SluiceTransport

@Suite("A link") struct LinkTests {
  /// A link between a peer's transport and one that nobody has started.
  private func link(_ reactor: Reactor, over kind: TransportKind) throws -> (Link, peer: any Transport) {
    let (ours, theirs): (any Transport, any Transport) =
      kind == .ring ? try RingTransport.pair() : try SocketTransport.pair()
    return (Link(over: ours, reactor: reactor, window: 8), theirs)
  }

  @Test(
    "is drained to its end when the peer is dead, also past a frame that breaks the protocol",
    .timeLimit(.minutes(1)), arguments: [TransportKind.ring, .socket],
    [[1, 2, 3], [2, 0, 0, 0, 4, 0, 0, 0]] as [[UInt8]])
  func rest(kind: TransportKind, frame: [UInt8]) async throws {
    let reactor = try Reactor(name: "link")
    defer { reactor.shutdown() }
    let (link, peer) = try link(reactor, over: kind)
    for _ in 0..<3 { #expect(try peer.trySend(bytes: frame, handles: []) == .sent) }
    let done = OneShot<Bool>()
    reactor.perform { link.drainRest { done.fulfill(true) } }
    #expect(await done.wait(onCancel: false))
    link.end()
  }
}
