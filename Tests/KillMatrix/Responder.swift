import Foundation
import Sluice
import SystemPackage
import TestSchema

/// One end of a session, as it answers what ``Talk`` asks of it.
actor Responder {
  static let streamLength = 10

  /// So many that the other end is told that they wait no more.
  static func manyHandles() throws -> [Handle] {
    Array(repeating: try Handle.open("/dev/null", .readOnly), count: 130)
  }

  private let session: Session
  private let act: @Sendable () async throws -> Void
  private var acting: Task<Void, any Error>?
  private var held: [Message<Exchange>] = []
  private var mute: [Channel<Exchange>] = []

  /// - Parameter act: What this end does when it is asked to act; once, however often it is asked.
  init(_ session: Session, act: @escaping @Sendable () async throws -> Void) {
    self.session = session
    self.act = act
  }

  /// Answers until the session ends.
  func serve() async {
    while let channel = try? await next() {
      if String(decoding: channel.metadata.bytes, as: UTF8.self) == "mute" {
        mute.append(channel)
        continue
      }
      Task {
        while let note = try? await Self.nextNote(of: channel) { hear(note) }
      }
      Task {
        // Whoever asked is gone, or has given up: its own affair.
        while let request = try? await Self.nextRequest(of: channel) {
          Task { try? await answer(request, on: channel) }
        }
      }
    }
    held = []
    mute = []
  }

  private func next() async throws -> Channel<Exchange>? {
    var channels = session.channels(of: Exchange.self).makeAsyncIterator()
    return try await channels.next()
  }

  private static func nextNote(of channel: Channel<Exchange>) async throws -> Message<Exchange>? {
    var notes = channel.notifications.makeAsyncIterator()
    return try await notes.next()
  }

  private static func nextRequest(of channel: Channel<Exchange>) async throws -> Request<Exchange>? {
    var requests = channel.requests.makeAsyncIterator()
    return try await requests.next()
  }

  private func hear(_ note: Message<Exchange>) {
    if (try? note.read { try $0.text }) == "close" { session.close(reason: "as asked") }
  }

  private func answer(_ request: Request<Exchange>, on channel: Channel<Exchange>) async throws {
    switch try request.message.read({ try $0.text }) {
    case "echo": try await request.reply(try channel.makeMessage())
    case "fail": try request.fail(code: 42, text: "as asked")
    case "large":
      var reply = try channel.makeMessage()
      reply.root.initChunks(1).initData(at: 0, byteCount: 100_000) { output in output.append(1, as: UInt8.self) }
      try await request.reply(reply)
    case "stream":
      for _ in 0..<Self.streamLength { try await request.send(try channel.makeMessage()) }
      try request.finish()
    case "hang": try await request.cancellable { try await Task.sleep(for: .seconds(3600)) }  // until it is withdrawn
    case "handle":
      let handles = try Self.manyHandles()
      guard request.message.takeHandles().count == handles.count else {
        throw MatrixError("the handles did not come along")
      }
      try await request.reply(try channel.makeMessage(), handles: handles)
    case "hold":
      held.append(request.message)
      try await request.reply(try channel.makeMessage())
    case "release":
      held = []
      try await request.reply(try channel.makeMessage())
    case "take":
      var channels = session.channels(of: Tree.self).makeAsyncIterator()
      _ = try await channels.next()
      try await request.reply(try channel.makeMessage())
    case "act":
      let acting = acting ?? Task { try await act() }
      self.acting = acting
      do {
        try await acting.value
        try await request.reply(try channel.makeMessage())
      } catch {
        try request.fail(code: 1, text: "\(error)")
      }
    default: try request.fail(code: 2, text: "what?")
    }
  }
}
