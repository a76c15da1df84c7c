import Foundation
import Sluice
import SystemPackage
import TestSchema
import TestSupport

// A client whose messages are not what a builder makes.

private func connectToForge(_ app: ServerApp) async throws -> (Session, Channel<Tree>) {
  var options = SessionOptions()
  options.inlineByteCount = 0
  let session = try await ClientSession.connect("test-client", to: app, options: options)
  return (session, try await session.openChannel(Tree.self))
}

/// Makes a message in shared memory of `words`; the memory, which its owner may write at any time, until it ends.
///
/// They stand where a text does that has a segment of its own, and the root pointer leads there.
private func fill(
  _ message: inout MessageBuilder<Tree>, with words: [UInt64]
) throws -> UnsafeMutableBufferPointer<UInt64> {
  message.root.label = String(repeating: " ", count: 8 * words.count)
  guard message.segmentCount == 2, message.segment(at: 1).count >= 8 * words.count,
    let root = UnsafeMutableRawPointer(mutating: message.segment(at: 0).baseAddress),
    let start = UnsafeMutableRawPointer(mutating: message.segment(at: 1).baseAddress)
  else { throw PeerError("the message is not where it should be") }
  // Far: to a landing pad at the beginning of segment 1.
  root.storeBytes(of: 2 | 1 << 32, as: UInt64.self)
  let memory = UnsafeMutableBufferPointer(start: start.assumingMemoryBound(to: UInt64.self), count: words.count)
  _ = memory.update(from: words)
  return memory
}

/// Sends a message of each kind of forgery.
func forge(_ app: ServerApp) async throws {
  let (session, channel) = try await connectToForge(app)
  for kind in ForgedTree.allCases {
    var message = try channel.makeMessage()
    _ = try fill(&message, with: kind.words)
    try await channel.notify(message)
  }
  channel.finishSending()
  say("sent")
  await endOfInput()
  session.close()
}

/// Sends a message, and changes it all the time until standard input ends.
func scribble(_ app: ServerApp) async throws {
  let (session, channel) = try await connectToForge(app)
  let sound = ForgedTree.nest.words.enumerated().map { $0 < 200 ? $1 : 0 }
  var message = try channel.makeMessage()
  let memory = try fill(&message, with: sound)
  try await channel.notify(message)
  say("scribbling")
  // Until the end of the input ends the process.
  Thread.detachNewThread {
    while readLine() != nil {}
    exit(0)
  }
  var random = SystemRandomNumberGenerator()
  let forgeries = ForgedTree.allCases.map(\.words)
  while session.statistics.channelsOpen == 1, message.segmentCount == 2 {
    for _ in 0..<2000 {
      let place = Int.random(in: 1..<memory.count, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: memory[place] = random.next()
      case 1: memory[place] ^= 1 << UInt64.random(in: 0..<64, using: &random)
      // A pointer that was somewhere else, or a forged one.
      case 2: memory[place] = memory[Int.random(in: 0..<memory.count, using: &random)]
      default: memory[place] = forgeries[Int.random(in: 0..<forgeries.count, using: &random)][min(place, 8)]
      }
    }
    _ = memory.update(from: sound)
  }
}
