import Foundation
import Sluice
import SystemPackage
import TestSchema
import TestSupport

struct PeerError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Serves until standard input ends.
func serve(
  _ app: ServerApp, leavingChild: Bool = false, options: SessionOptions = SessionOptions()
) async throws {
  let server = try SessionServer(app, options: options)
  if leavingChild { try leaveChild() }
  say("ready")
  let accepting = Task {
    for try await session in server.sessions {
      say("session \(session.peerApp)")
      Task {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await serveChannels(of: session) }
          group.addTask {
            let end = await session.end()
            say("ended \(end.map { "\($0)" } ?? "cancelled")")
          }
          try await group.waitForAll()
        }
      }
    }
  }
  await endOfInput()
  server.shutdown()
  try await accepting.value
  say("done")
}

func serveChannels(of session: Session) async throws {
  for try await channel in session.channels(of: Exchange.self) {
    Task { try await serve(channel, of: session) }
  }
}

func serve(_ channel: Channel<Exchange>, of session: Session) async throws {
  if channel.metadata == Metadata("heard".utf8) {
    Task { for try await _ in channel.notifications {} }
  }
  for try await request in channel.requests {
    Task {
      do {
        try await respond(to: request, on: channel, of: session)
      } catch {
        say("failed \(error)")
      }
    }
  }
}

func respond(to request: Request<Exchange>, on channel: Channel<Exchange>, of session: Session) async throws {
  let message = request.message
  let (number, text) = try message.read { root in (root.number, try root.text) }
  switch text {
  case "echo":
    var reply = try channel.makeMessage()
    reply.root.number = number + 1
    reply.root.text = "echo"
    try await request.reply(reply)

  case "payload":
    var reply = try channel.makeMessage()
    fill(reply.root, byteCount: Int(number))
    // Said on the same page as the message says it: where its own segments stand.
    reply.root.text = String(repeating: " ", count: 1000)
    let placement = channel.placement(of: reply).map { "\($0.inode):\($0.offset)" }
    reply.root.text = placement.joined(separator: " ")
    try await request.reply(reply)

  case "reserve":
    var reply = try channel.makeMessage()
    reserve(reply.root, byteCount: 3 << 20)
    try await request.reply(reply)

  case "resources":
    session.trimMemory()
    var reply = try channel.makeMessage()
    reply.root.text = "\(session.segments.count) \(session.segments.filter(\.isBorrowed).count)"
    try await request.reply(reply)

  case "stream":
    for item in 0..<number {
      var message = try channel.makeMessage()
      message.root.number = item
      try await request.send(message)
    }
    try request.finish()

  case "footprint":
    session.trimMemory()
    var reply = try channel.makeMessage()
    reply.root.text = "\(try Footprint())"
    try await request.reply(reply)

  case "touch":
    _ = try touch(message)
    var reply = try channel.makeMessage()
    reply.root.number = UInt64(Memory.minorFaultCount)
    try await request.reply(reply)

  case "placement":
    let places = message.placement.map { "\($0.inode):\($0.offset)" }.joined(separator: " ")
    var reply = try channel.makeMessage()
    reply.root.text = "\(places) \(try touch(message))"
    try await request.reply(reply)

  case "handle":
    // Writes into the pipe that came along, and sends back a file of its own.
    guard let pipe = message.takeHandles().first else { throw PeerError("no handle came along") }
    _ = try pipe.descriptor.writeAll("written by the peer".utf8)
    var reply = try channel.makeMessage()
    reply.root.text = "handle"
    let file = try Handle.open("/proc/self/comm", .readOnly)
    try await request.reply(reply, handles: [file])

  case "hang":
    var note = try channel.makeMessage()
    note.root.text = "hanging"
    try await channel.notify(note)
    say("hanging")
    try await Task.sleep(for: .seconds(3600))  // until somebody kills this process
    withExtendedLifetime(request) {}

  case "call back":
    // Opens a channel to the client, and asks it something there.
    let back = try await session.openChannel(Exchange.self, metadata: Metadata("from the server".utf8))
    var question = try back.makeMessage()
    question.root.number = 20
    question.root.text = "echo"
    let answer = try await back.request(question)
    var reply = try channel.makeMessage()
    reply.root.number = try answer.root.number
    try await request.reply(reply)

  case "fail":
    try request.fail(code: 42, text: "as asked", details: Metadata([4, 2]))

  case "ignore":
    break  // the request is released unanswered

  default:
    try request.fail(code: 1, text: "what is “\(text)”?")
  }
}

func fill(_ root: Exchange.Builder, byteCount: Int) {
  let largest = 64 << 20
  let count = (byteCount + largest - 1) / largest
  let chunks = root.initChunks(count)
  for index in chunks.indices {
    let size = min(largest, byteCount - index * largest)
    chunks.initData(at: index, byteCount: size) { output in
      for position in 0..<size { output.append(UInt8((position + index) % 251), as: UInt8.self) }
    }
  }
}

func connect(_ app: ServerApp) async throws -> Session {
  try await ClientSession.connect(ClientApp("test-client"), to: app)
}

func ask(_ channel: Channel<Exchange>, _ text: String, _ number: UInt64 = 0) async throws -> Message<Exchange> {
  var request = try channel.makeMessage()
  request.root.text = text
  request.root.number = number
  return try await channel.request(request, timeout: .seconds(60))
}

func hold(_ app: ServerApp, options: SessionOptions) async throws {
  let session = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
  let channel = try await session.openChannel(Exchange.self)
  let response = try await ask(channel, "payload", 1_000_000)
  say("holding")
  try await Task.sleep(for: .seconds(3600))  // until somebody kills this process
  withExtendedLifetime(response) {}
}

func answer(_ app: ServerApp) async throws {
  let session = try await connect(app)
  let channel = try await session.openChannel(Exchange.self)
  try await serve(channel, of: session)
}

/// Bytes of anonymous memory that this process has in RAM: what it holds privately.
func privateByteCount() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
    let kilobytes = Int(line.split(whereSeparator: { !$0.isNumber }).first ?? "")
  else { throw PeerError("no RssAnon in /proc/self/status") }
  return kilobytes * 1024
}

func memory(_ app: ServerApp, sizes: [Int]) async throws {
  let session = try await connect(app)
  let channel = try await session.openChannel(Exchange.self)
  _ = try await ask(channel, "payload", 1000)
  for size in sizes {
    let before = try privateByteCount()
    let response = try await ask(channel, "payload", UInt64(size))
    let sum = try response.read { root in
      var sum: UInt64 = 0
      let chunks = try root.chunks
      for index in chunks.indices {
        let chunk = try chunks[index]
        for position in stride(from: 0, to: chunk.byteCount, by: 4096) {
          sum += UInt64(chunk.unsafeLoad(fromByteOffset: position, as: UInt8.self))
        }
      }
      return sum
    }
    say("size \(size) grew \(try privateByteCount() - before) sum \(sum)")
  }
  session.close()
}

func askOnce(_ app: ServerApp, as client: String) async throws {
  do {
    let session = try await ClientSession.connect(ClientApp(client), to: app)
    let channel = try await session.openChannel(Exchange.self)
    let response = try await ask(channel, "echo", 1)
    say("answered \(try response.root.number)")
    await endOfInput()
    let still = try await ask(channel, "echo", 2)
    say("answered \(try still.root.number)")
  } catch {
    say("error \(error)")
  }
}

/// Swift hides `fork`, for good reasons: the child must not do more than what signal handlers may.
@_silgen_name("fork") private func cFork() -> pid_t

private func forkAndPause() -> pid_t {
  let child = cFork()
  while child == 0 { pause() }
  return child
}

/// Leaves behind a process that shares all descriptors of this one and does nothing, as `fork` without `exec` does.
func leaveChild() throws {
  switch forkAndPause() {
  case -1: throw PeerError("cannot fork")
  case let child: say("child \(child)")
  }
}
