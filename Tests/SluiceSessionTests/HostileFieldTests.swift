import CapnProto
import CapnProtoReflection
import Foundation
import SluiceMemory
import SluiceSchemas
import SluiceSystem
import SystemPackage
import TestSchema
import Testing

@testable import SluiceChannel
@testable import SluiceSession
@testable import SluiceTransport

/// A client and a server that speak the protocol and lie in every field of a control message. The fields are those of the
/// schema; each test fails if one is left out. Whatever is said, the other end answers, refuses, or ends the session,
/// in time; and it serves on.
@Suite(.timeLimit(.minutes(5))) struct HostileFieldTests {
  // MARK: The fields

  /// A field of a control message: names, and numbers for the elements of lists.
  private struct Path: Hashable, CustomStringConvertible {
    var steps: [String]
    var description: String { steps.joined(separator: ".") }
  }

  private static func schema() throws -> Schema.Struct {
    try #require(try SchemaRegistry(ControlMessage.self).structure(for: ControlMessage.self))
  }

  /// Every field of a kind of message, in every struct in it.
  private static func fields(of member: Schema.Field) -> [Path] {
    var paths: [Path] = []
    func visit(_ type: Schema.ValueType, _ path: Path) {
      switch type {
      case .structure(let structure):
        for field in structure.fields { visit(field.type, Path(steps: path.steps + [field.name])) }
        if path.steps.count > 1 { paths.append(path) }  // the pointer to it
      case .list(.structure(let structure)):
        paths.append(path)
        visit(.structure(structure), Path(steps: path.steps + ["0"]))
      case .void: break
      default: paths.append(path)
      }
    }
    visit(member.type, Path(steps: [member.name]))
    return paths
  }

  /// Whether all lies are told, as asked by the environment, and not only some.
  static let isThorough = ProcessInfo.processInfo.environment["SLUICE_HOSTILE_ALL"] != nil

  /// What a lie is, for a field of that type.
  private static func lies(_ type: Schema.ValueType) -> [PlainValue?] {
    let all = allLies(type)
    return isThorough || all.count < 3 ? all : [all[all.count / 2], all[all.count - 1]]
  }

  private static func allLies(_ type: Schema.ValueType) -> [PlainValue?] {
    switch type {
    case .bool: [true, false]
    case .uint16: [0, 1, 2, .uint(.init(UInt16.max))]
    case .uint32: [0, 1, 2, 7, 0x7fff_ffff, 0x8000_0000, .uint(.init(UInt32.max))]
    case .uint64: [0, 1, 4095, 4097, .uint(1 << 33), .uint(1 << 63), .uint(.max)]
    case .enumeration: [0, 1, 2, 3, .uint(.init(UInt16.max))]
    case .text: ["", "../../x", "\u{0}", .text(String(repeating: "ü", count: 5000)), nil]
    case .data:
      [.data([]), .data([UInt8](repeating: 0xff, count: 16_384)), .data([UInt8](repeating: 1, count: 17_000)), nil]
    default: [nil]  // a pointer: cleared
    }
  }

  /// `honest` with the field at `path` set to each lie.
  private static func mutations(of honest: [UInt8], at path: Path) throws -> [[UInt8]] {
    let schema = try schema()
    let count = try with(honest, schema) { root in lies(try type(at: path.steps[...], in: schema)).count }.result
    return try (0..<count).map { index in
      try with(honest, schema) { root in
        let lie = lies(try type(at: path.steps[...], in: schema))[index]
        try apply(lie, at: path.steps[...], to: root)
      }.bytes
    }
  }

  /// A copy of a message, changed.
  private static func with<R>(
    _ honest: [UInt8], _ schema: Schema.Struct, _ change: (borrowing DynamicStruct.Builder) throws -> R
  ) throws -> (bytes: [UInt8], result: R) {
    var copy = try MessageBuilder(rootSize: schema.size)
    let reader = try MessageReader<ControlMessage>(stream: honest)
    let result: R
    do {
      let root = DynamicStruct.Builder(copy.root, schema)
      let source = try reader.root
      try copyMembers(DynamicStruct.Reader(source.raw, schema), to: root)
      result = try change(root)
    }
    return (try copy.serialized(), result)
  }

  private static func copyMembers(
    _ source: borrowing DynamicStruct.Reader, to target: borrowing DynamicStruct.Builder
  ) throws {
    guard let member = source.which else { return }
    let value = try source[member.name]
    try target.set(member.name, copying: value)
  }

  private static func type(at path: ArraySlice<String>, in structure: Schema.Struct) throws -> Schema.ValueType {
    guard let name = path.first, let field = structure.fields.first(where: { $0.name == name }) else {
      throw PathError(path: Array(path))
    }
    return try type(at: path.dropFirst(), of: field.type)
  }

  private static func type(at path: ArraySlice<String>, of type: Schema.ValueType) throws -> Schema.ValueType {
    guard let first = path.first else { return type }
    switch type {
    case .structure(let inner): return try self.type(at: path, in: inner)
    case .list(let element) where first == "0": return try self.type(at: path.dropFirst(), of: element)
    default: throw PathError(path: Array(path))
    }
  }

  private struct PathError: Error { let path: [String] }

  private static func apply(
    _ lie: PlainValue?, at path: ArraySlice<String>, to structure: borrowing DynamicStruct.Builder
  ) throws {
    guard let name = path.first else { return }
    let rest = path.dropFirst()
    if rest.isEmpty {
      if let lie { try structure.set(name, to: lie) } else { try structure.clear(name) }
    } else if rest.first == "0" {
      let list = try structure.list(name)
      let element = try list.structure(0)
      if rest.count > 1 { try apply(lie, at: rest.dropFirst(), to: element) }
    } else {
      let inner = try structure.structure(name)
      try apply(lie, at: rest, to: inner)
    }
  }

  // MARK: Honest messages, with all that they can hold

  private static let opening = Control.ChannelOpening(
    lane: 2, rootTypeID: Exchange.typeID, rootTypeName: "Exchange", metadata: Metadata(typeID: 7, bytes: [1]))

  /// A message of a kind as it could be said in an open session.
  private static func honest(_ kind: String, server: String) throws -> Control {
    let ring = Control.RingSize(capacity: 1 << 17, largestFrame: UInt32(Envelope.largestFrameByteCount))
    let table = Control.TableSize(capacity: 64, byteCount: 4096)
    var dedicated = opening
    dedicated.dedicated = .ring(ring)
    switch kind {
    case "hello":
      return .hello(
        .init(
          versions: .current, serverApp: server, clientApp: "test-client", session: "1-00000000",
          metadata: Metadata([1]), returnTable: table, link: .ring(ring), channels: [dedicated]))
    case "welcome":
      return .welcome(.init(version: 1, link: .ring(ring), laneWindow: 128, returnTable: table))
    case "refusal": return .refusal(.init(reason: .serverBusy, message: "busy", versions: .current))
    case "openChannel": return .openChannel(dedicated)
    case "channelOpened": return .channelOpened(lane: 2, link: .ring(ring))
    case "channelRefused": return .channelRefused(lane: 2, reason: .declined, message: "no")
    case "segment": return .segment(.init(id: 0, name: "forged", byteCount: 8192, scope: .session))
    case "handles": return .handles(ticket: 9, lane: 2)
    case "withdrawHandles": return .withdrawHandles(ticket: 9)
    case "goodbye": return .goodbye(message: "bye")
    case "handlesSettled": return .handlesSettled(total: 128)
    case "abandonChannel": return .abandonChannel(lane: 2)
    case "retireSegment": return .retireSegment(id: 0)
    case "returned": return .returned
    case "shareSegment":
      return .shareSegment(.init(id: 0, byteCount: 4096, identity: SegmentIdentity(device: 1, inode: 2)))
    case "segmentShared": return .segmentShared(id: 0, isMapped: true)
    default: throw PathError(path: [kind])
    }
  }

  /// Without the hundreds of lines that say who broke the protocol.
  static var quiet: SessionOptions {
    var options = SessionOptions()
    options.logger.logLevel = .critical
    return options
  }

  // MARK: In an open session

  /// Says each mutation in a session of its own, and waits for what becomes of it.
  private func lie(
    in kinds: (String) -> Bool, on directory: FilePath, _ say: (Control, [UInt8]) async throws -> Void
  ) async throws {
    for member in try Self.schema().fields where kinds(member.name) {
      let honest = try Self.honest(member.name, server: directory.lastComponent?.string ?? "")
      let encoded = try honest.encoded()
      // The message itself, out of place, and each of its fields.
      try await say(honest, encoded)
      var mutated: Set<Path> = []
      for path in Self.fields(of: member) {
        for bytes in try Self.mutations(of: encoded, at: path) {
          try await say(honest, bytes)
          mutated.insert(path)
        }
      }
      #expect(mutated == Set(Self.fields(of: member)), "fields of \(member.name) that were never mutated")
    }
  }

  /// As many handles as an honest message has.
  private func handles(for control: Control) throws -> [Handle] {
    let count: Int =
      switch control {
      case .hello(let hello): hello.handleCount
      case .welcome: 3
      case .openChannel(let opening): opening.handleCount
      case .channelOpened(_, let link): link?.handleCount ?? 0
      case .segment, .handles: 1
      default: 0
      }
    return try (0..<count).map { _ in
      if case .segment = control { return try Segment.create(name: "forged", byteCount: 8192).handle }
      return try Handle.open("/dev/null", .readWrite)
    }
  }

  @Test(arguments: [SessionRole.client, .server]) func `each field of what is said in an open session`(
    liar: SessionRole
  ) async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app, options: Self.quiet)
      var sessions = server.sessions.makeAsyncIterator()
      func open() async throws -> (client: Session, server: Session) {
        let client = try await ClientSession.connect(testClient, to: app, options: Self.quiet)
        return (client, try #require(try await sessions.next()))
      }
      let bystander = try await open()
      var violations = 0
      try await lie(in: { _ in true }, on: directory) { honest, bytes in
        let pair = try await open()
        let (lying, victim) = liar == .client ? (pair.client, pair.server) : (pair.server, pair.client)
        lying.core.parts.control.send(encoded: bytes, handles: try handles(for: honest))
        lying.close(reason: "done")
        switch await victim.end() {
        case .protocolViolation: violations += 1
        case .closedByPeer, .connectionLost: break
        case let end: Issue.record("ended otherwise: \(String(describing: end))")
        }
      }
      #expect(violations > 40)
      async let asked = bystander.client.openChannel(Exchange.self)
      var channels = bystander.server.channels(of: Exchange.self).makeAsyncIterator()
      _ = try #require(try await channels.next())
      _ = try await asked
      server.shutdown()
    }
  }

  // MARK: In the handshake

  @Test func `each field of a client's introduction`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app, options: Self.quiet)
      let socket = directory.appending("\(app.name)/socket")
      var answers: [String: Int] = [:]
      try await lie(in: { $0 == "hello" }, on: directory) { honest, bytes in
        let transport = try SocketTransport(
          socket: UnixSocket.connect(to: socket), maxBlobSize: Control.largestByteCount)
        let handles = try handles(for: honest)
        guard bytes.count <= Control.largestByteCount else { return }
        let deadline = ContinuousClock.now.advanced(by: .seconds(30))
        try await transport.send(bytes.span.bytes, handles: handles, deadline: deadline, on: .shared)
        let answer = try await transport.receive(deadline: deadline, on: .shared)
        let frame = try #require(answer)
        switch try Control(decoding: frame.bytes, handleCount: frame.handles.count) {
        case .refusal(let refusal): answers["\(refusal.reason)", default: 0] += 1
        case .welcome: answers["welcome", default: 0] += 1
        default: Issue.record("neither a welcome nor a refusal")
        }
        transport.close()
      }
      // The return table is none, so nobody gets in; several reasons are met.
      #expect(answers["welcome"] == nil)
      for reason in ["malformedHello", "wrongServer", "clientNotAllowed"] {
        #expect(answers[reason] != nil, "\(reason) was never the reason: \(answers)")
      }
      _ = try await ClientSession.connect(testClient, to: app, options: Self.quiet)
      server.shutdown()
    }
  }

  @Test func `each field of a server's welcome and refusal`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let rendezvous = try Rendezvous(of: app)
      let listener = try rendezvous.listen(for: app)
      var failures = 0
      try await lie(in: { ["welcome", "refusal"].contains($0) }, on: directory) { honest, bytes in
        async let connected = ClientSession.connect(testClient, to: app, options: Self.quiet)
        guard case .ready = await Reactor.shared.wait(for: listener.descriptor, .readable) else { return }
        let transport = try SocketTransport(
          socket: try #require(try listener.tryAccept()), maxBlobSize: Control.largestByteCount)
        let deadline = ContinuousClock.now.advanced(by: .seconds(30))
        _ = try await transport.receive(deadline: deadline, on: .shared)
        try await transport.send(bytes.span.bytes, handles: handles(for: honest), deadline: deadline, on: .shared)
        do {
          let session = try await connected
          session.close()
          Issue.record("a session with a server that has none")
        } catch is SessionError {
          failures += 1
        }
        transport.close()
      }
      #expect(failures > 20)
      listener.close()
    }
  }
}
