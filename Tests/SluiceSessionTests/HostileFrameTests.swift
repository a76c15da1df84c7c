import CapnProto
import Foundation
import SluiceMemory
import SystemPackage
import TestSchema
import Testing

@testable import SluiceChannel
@testable import SluiceSession
@testable import SluiceTransport

/// Ends that lie in every byte of what goes over a link, and in its length. The bytes are those of the layouts; each test
/// fails if one is left out. Whatever is sent, the other end drops it or ends the session, in time; and its server serves on.
@Suite(.timeLimit(.minutes(10))) struct HostileFrameTests {
  /// What a byte is changed by.
  private static let lies: [UInt8] = HostileFieldTests.isThorough ? [0x01, 0x80, 0xff] : [0xff]
  private static let links = HostileFieldTests.isThorough ? LinkTests.kinds : [.ring]

  /// An honest frame, of which each byte but those of the content is a field.
  private struct Honest {
    let name: String
    let bytes: [UInt8]
    let fieldByteCount: Int

    /// The frame with each lie in each of its bytes, and too short and too long. Each differs from the honest one.
    var mutations: [(field: String, bytes: [UInt8])] {
      var mutations: [(String, [UInt8])] = []
      for offset in 0..<fieldByteCount {
        for lie in HostileFrameTests.lies {
          var bytes = bytes
          bytes[offset] ^= lie
          mutations.append(("\(name) \(offset)", bytes))
        }
      }
      for count in [bytes.count - 1, bytes.count - 8, bytes.count + 1, bytes.count + 8] {
        let longer = [UInt8](repeating: 0, count: max(0, count - bytes.count))
        mutations.append(("\(name) length", bytes.prefix(max(0, count)) + longer))
      }
      return mutations
    }
  }

  /// Sends each mutation of each frame in a session of its own, and waits for what becomes of it: how many ended by a
  /// violation, and the fields that a frame was sent for in which they are not as they should be.
  private func lie(
    over link: LinkChoice, _ frames: (Channel<Exchange>) throws -> [Honest]
  ) async throws -> (violations: Int, mutated: Set<String>) {
    var options = HostileFieldTests.quiet.over(link)
    options.inlineByteCount = 0
    var (violations, mutated) = (0, Set<String>())
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app, options: options)
      var sessions = server.sessions.makeAsyncIterator()
      func open() async throws -> (Session, Channel<Exchange>, Session, Channel<Exchange>) {
        let liar = try await ClientSession.connect(testClient, to: app, options: options)
        let victim = try #require(try await sessions.next())
        async let opened = liar.openChannel(Exchange.self)
        var channels = victim.channels(of: Exchange.self).makeAsyncIterator()
        let taken = try #require(try await channels.next())
        return (liar, try await opened, victim, taken)
      }
      // How many there are, any session tells; what a message in memory names, each for itself.
      let (first, channel, _, _) = try await open()
      let count = try frames(channel).map(\.mutations.count)
      first.close()
      for frame in count.indices {
        for mutation in 0..<count[frame] {
          let (liar, channel, victim, taken) = try await open()
          let honest = try frames(channel)[frame]
          let (field, bytes) = honest.mutations[mutation]
          if bytes != honest.bytes { mutated.insert(field) }
          _ = try channel.core.carrier.link.transport.trySend(bytes.span.bytes, handles: [])
          liar.close(reason: "done")
          switch await victim.end() {
          case .protocolViolation: violations += 1
          case .closedByPeer, .connectionLost: break
          case let end: Issue.record("\(field): ended otherwise: \(String(describing: end))")
          }
          // What arrived can be read, whatever it is.
          var notes = taken.notifications.makeAsyncIterator()
          while let note = try? await notes.next() { _ = try? note.read { try $0.text } }
        }
      }
      let (last, _, _, _) = try await open()
      last.close()
      server.shutdown()
    }
    return (violations, mutated)
  }

  // MARK: Envelopes

  /// What an envelope says of where its content is.
  private enum Form: CaseIterable {
    case segments, inline, failure, nothing

    static func all(of kind: Envelope.Kind) -> [Form] {
      kind.hasContent ? [.segments, .inline] : kind == .failure ? [.failure] : [.nothing]
    }

    /// How many bytes of its frame are fields, by the layout.
    var fieldByteCount: Int {
      switch self {
      case .segments: LaneHeader.byteCount + Envelope.headerByteCount + Envelope.partByteCount
      case .failure: LaneHeader.byteCount + Envelope.headerByteCount + Envelope.Failure.headerByteCount + 2
      case .inline, .nothing: LaneHeader.byteCount + Envelope.headerByteCount
      }
    }
  }

  private static func honest(
    _ kind: Envelope.Kind, _ form: Form, on channel: Channel<Exchange>
  ) throws -> Honest {
    let correlation: UInt64 = kind == .notification || kind == .finish ? 0 : 1
    var envelope = Envelope(kind: kind, correlation: correlation)
    switch form {
    case .segments:
      var message = try channel.makeMessage()
      message.root.text = "honest"
      envelope = try channel.core.carrier.prepare(message.built, kind: kind, correlation: correlation, handles: [])
        .envelope
    case .inline: envelope.inlineByteCount = 16
    case .failure: envelope.failure = .init(code: 1, text: "t", details: Metadata([1]))
    case .nothing: break
    }
    var bytes = [UInt8](repeating: 0, count: envelope.frameByteCount)
    var span = bytes.mutableSpan
    var frame = span.mutableBytes
    envelope.encode(into: &frame)
    LaneHeader(lane: channel.core.lane.number, kind: kind.isCharged ? .charged : .free).encode(into: &frame)
    return Honest(name: "\(kind) \(form)", bytes: bytes, fieldByteCount: form.fieldByteCount)
  }

  @Test(arguments: links) func `each byte of lane headers and envelopes`(link: LinkChoice) async throws {
    let (violations, mutated) = try await lie(over: link) { channel in
      try Envelope.Kind.allCases.flatMap { kind in
        try Form.all(of: kind).map { try Self.honest(kind, $0, on: channel) }
      }
    }
    var fields: Set<String> = []
    for kind in Envelope.Kind.allCases {
      for form in Form.all(of: kind) {
        for offset in 0..<form.fieldByteCount { fields.insert("\(kind) \(form) \(offset)") }
        fields.insert("\(kind) \(form) length")
      }
    }
    #expect(mutated == fields, "never mutated: \(fields.subtracting(mutated))")
    #expect(violations > 100)
  }

  // MARK: Frames of the link itself

  /// How long a frame of the link itself is, by the layout; nil for those that carry an envelope.
  private static func byteCount(_ kind: LaneHeader.Kind) -> Int? {
    switch kind {
    case .charged, .free: nil
    case .grant: LaneHeader.grantByteCount
    case .close, .probe, .answer: LaneHeader.byteCount
    }
  }

  @Test(arguments: links) func `each byte of grants, closings, probes and answers`(link: LinkChoice) async throws {
    let kinds = LaneHeader.Kind.allCases.filter { Self.byteCount($0) != nil }
    let (violations, mutated) = try await lie(over: link) { channel in
      kinds.map { kind in
        let lane = kind == .probe || kind == .answer ? 0 : channel.core.lane.number
        let bytes = Link.Notice(lane: lane, kind: kind, count: 1).frame
        return Honest(name: "\(kind)", bytes: bytes, fieldByteCount: bytes.count)
      }
    }
    var fields: Set<String> = []
    for kind in kinds {
      for offset in 0..<(Self.byteCount(kind) ?? 0) { fields.insert("\(kind) \(offset)") }
      fields.insert("\(kind) length")
    }
    #expect(mutated == fields, "never mutated: \(fields.subtracting(mutated))")
    #expect(violations > 30)
  }
}
