import CapnProto
import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// Messages of another process whose pointers are forged, or that it changes while they are read.
@Suite(.timeLimit(.minutes(2))) struct ForgedMessageTests {
  /// Reads everything that a tree leads to.
  private static func walk(_ tree: borrowing Tree.Reader, _ visited: inout Int) throws {
    visited += 1
    _ = tree.number
    _ = try tree.label
    let children = try tree.children
    for index in children.indices {
      let child = children[index]
      try walk(child, &visited)
    }
    if tree.hasNext {
      let next = try tree.next
      try walk(next, &visited)
    }
  }

  /// More than any message here may make its reader visit: what may be read is a multiple of its size.
  private static let mostVisited = 100_000

  /// How a walk of a message ended: with whatever it found, or with an error of the format. At bounded cost.
  private func walk(_ message: Message<Tree>) throws -> CapnProtoError? {
    var visited = 0
    defer { #expect(visited < Self.mostVisited, "\(visited) structs visited") }
    do {
      try message.read { root in try Self.walk(root, &visited) }
      return nil
    } catch let error as CapnProtoError {
      return error
    }
  }

  private func withChannel(
    _ mode: String, _ body: @escaping @Sendable (Channel<Tree>, Session, Peer) async throws -> Void
  ) async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app)
      try await withPeer(mode, directory) { peer in
        var sessions = server.sessions.makeAsyncIterator()
        let session = try #require(try await sessions.next())
        var channels = session.channels(of: Tree.self).makeAsyncIterator()
        let channel = try #require(try await channels.next())
        try await body(channel, session, peer)
      }
      server.shutdown()
    }
  }

  @Test func `pointers that leave, loop, nest or amplify are typed errors at bounded cost, and the session goes on`()
    async throws
  {
    try await withChannel("forge") { channel, session, peer in
      var kinds = ForgedTree.allCases[...]
      for try await message in channel.notifications {
        let first = kinds.popFirst()
        let kind = try #require(first)
        let error = try walk(message)
        #expect(error != nil, "\(kind) was read as if it were sound")
        // It came in shared memory, as it was.
        #expect(message.placement.count == 2)
      }
      #expect(kinds.isEmpty, "these did not come: \(kinds)")
      #expect(session.statistics.messagesReceived == UInt64(ForgedTree.allCases.count))
    }
  }

  @Test func `a message that its sender changes while it is read ends every walk, with values or an error`()
    async throws
  {
    try await withChannel("scribble") { channel, _, peer in
      var notes = channel.notifications.makeAsyncIterator()
      let message = try #require(try await notes.next())
      try await peer.line("scribbling")
      var (sound, broken) = (0, 0)
      while sound < 50 || broken < 500 {
        if try walk(message) == nil { sound += 1 } else { broken += 1 }
      }
    }
  }
}
