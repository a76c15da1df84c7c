import CapnProto

@testable import SluiceChannel
@testable import SluiceSession
@testable import SluiceTransport

/// What arrives on the control socket is decoded, or refused; what is decoded says the same when it is sent on, and the
/// server's policy decides about an introduction.
enum ControlTarget {
  static func run(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let bytes = Array(input.dropFirst())
    guard let control = try? Control(decoding: bytes, handleCount: Int(first)) else { return }
    // Whatever was read can be written, and reads back the same.
    guard let encoded = try? control.encoded() else { fatalError("cannot be encoded: \(control)") }
    guard let again = try? Control(decoding: encoded, handleCount: Int(first)), again == control else {
      fatalError("reads back otherwise: \(control)")
    }
    guard case .hello(let hello) = control else { return }
    let app = ServerApp("server", allowing: ["client"])
    let policy = AdmissionPolicy(app: app, uid: 1000, gid: 1000, versions: .current)
    let peer = PeerIdentity(credentials: .init(pid: 1, uid: 1000, gid: 1000))
    if (try? policy.check(hello, peer)) != nil {
      precondition(hello.clientApp == "client" && hello.serverApp == "server")
      precondition(hello.versions.lowest <= hello.versions.highest)
    }
  }

  /// Each kind of message, honest.
  static func seeds() throws -> [[UInt8]] {
    let ring = Control.RingSize(capacity: 1 << 17, largestFrame: 24_608)
    let table = Control.TableSize(capacity: 16, byteCount: 4096)
    let opening = Control.ChannelOpening(
      lane: 2, rootTypeID: 9, rootTypeName: "Type", metadata: Metadata([1, 2, 3]), dedicated: .ring(ring))
    let hello = Control.Hello(
      versions: .current, serverApp: "server", clientApp: "client", session: "12-0123abcd", metadata: Metadata([7]),
      returnTable: table, link: .ring(ring), channels: [opening])
    let messages: [(Control, UInt8)] = [
      (.hello(hello), 5),
      (.welcome(.init(version: 1, link: .ring(ring), laneWindow: 128, returnTable: table)), 3),
      (.welcome(.init(version: 1, link: .queue(largestFrame: 24_608), laneWindow: 128, returnTable: table)), 4),
      (.refusal(.init(reason: .rejected, message: "no", versions: .current)), 0),
      (.openChannel(opening), 2), (.channelOpened(lane: 2, link: .ring(ring)), 2),
      (.channelRefused(lane: 2, reason: .declined, message: "no"), 0),
      (.segment(.init(id: 0, name: "name", byteCount: 4096, scope: .session)), 1),
      (.handles(ticket: 1, lane: 2), 1), (.withdrawHandles(ticket: 1), 0), (.goodbye(message: "bye"), 0),
      (.retireSegment(id: 1), 0), (.returned, 0), (.segmentShared(id: 1, isMapped: true), 0),
      (.abandonChannel(lane: 2), 0), (.handlesSettled(total: 128), 0),
    ]
    return try messages.map { [$1] + (try $0.encoded()) }
  }
}
