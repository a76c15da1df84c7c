import Foundation
import Sluice
import Synchronization
import TestSchema
import TestSupport

/// Requests that are sent one after the other, each answered rightly or failed by the death of the server.
struct Exchanges: Sendable {
  let asker: Asker
  /// What some of the requests are entered into; for those that block a thread each, instead of a task that suspends.
  let ledger: Ledger?
  /// Raised with the first answer of a session.
  let isHeard: Flag
  private var generator: SeededGenerator
  /// Answers that are kept for a while.
  private var held: [Message<Exchange>] = []

  private struct Request: Sendable {
    /// What the server is to do: see `Serving.swift`.
    let kind: String
    let content: Content
    let hasPayload: Bool
    /// Whether it is asked while the ledger's mutex is held.
    let isEntered: Bool
  }

  init(asker: Asker, ledger: Ledger?, isHeard: Flag, seed: UInt64) {
    self.asker = asker
    self.ledger = ledger
    self.isHeard = isHeard
    generator = SeededGenerator(seed: seed)
  }

  /// Until the session or the run ends.
  mutating func run(on channel: Channel<Exchange>) async throws {
    while !asker.isDone.load(ordering: .relaxed) {
      guard try await once(on: channel) else { return }
    }
  }

  /// One request; false when the session ended instead of an answer.
  mutating func once(on channel: Channel<Exchange>) async throws -> Bool {
    let request = makeRequest()
    let answer: Message<Exchange>
    do {
      answer = try await send(request, on: channel)
    } catch ChannelError.sessionEnded(let end) {
      asker.counts.withLock { $0.failed += 1 }
      switch end {
      case .peerDied, .connectionLost: return false
      default: throw ChaosError("the session ended otherwise than by death: \(end)")
      }
    } catch ChannelError.timedOut {
      throw ChaosError("a request hung: \(request), \(ledger == nil ? "suspended" : "blocking"), \(channel.statistics)")
    }
    guard try request.content.matches(answer) else {
      throw ChaosError("a wrong answer: \(request.kind), \(request.content)")
    }
    let handleCount = answer.takeHandles().count
    guard handleCount == (request.kind == "handle" ? 1 : 0) else { throw ChaosError("\(handleCount) handles came") }
    asker.counts.withLock { $0.answered += 1 }
    if isHeard.raise() { say("asking") }
    held.append(answer)
    if held.count > 8 { held.remove(at: Int.random(in: 0..<8, using: &generator)) }
    return true
  }

  private mutating func makeRequest() -> Request {
    let kind = ["fresh", "cached", "wide", "handle"][Int.random(in: 0..<4, using: &generator)]
    let bits = Int.random(in: 0...14, using: &generator)
    let content =
      kind == "cached"
      ? Content(cached: Int.random(in: 0..<Content.cachedCount, using: &generator))
      : Content(wordCount: Int.random(in: 1...(1 << bits), using: &generator), seed: generator.next())
    return Request(
      kind: kind, content: content, hasPayload: Int.random(in: 0..<3, using: &generator) == 0,
      isEntered: Int.random(in: 0..<8, using: &generator) == 0)
  }

  private func send(_ request: Request, on channel: Channel<Exchange>) async throws -> Message<Exchange> {
    guard let ledger else {
      let message = try message(request, on: channel)
      return try await channel.request(message, timeout: .seconds(20))
    }
    return try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(
          with: Result {
            let message = try self.message(request, on: channel)
            if !request.isEntered { return try channel.requestSync(message, timeout: .seconds(20)) }
            return try ledger.enter { try channel.requestSync(message, timeout: .seconds(20)) }
          })
      }
    }
  }

  private func message(_ request: Request, on channel: Channel<Exchange>) throws -> MessageBuilder<Exchange> {
    var message = try channel.makeMessage()
    message.root.text = request.kind
    if request.hasPayload { request.content.write(to: message.root) }
    message.root.number = request.content.number
    asker.counts.withLock { $0.asked += 1 }
    return message
  }
}
