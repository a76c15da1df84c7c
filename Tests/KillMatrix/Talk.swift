import Foundation
import Sluice
import SystemPackage
import TestSchema

/// One end of a session, as it acts: it makes the other end, which answers, say and hear everything that the protocol has.
struct Talk: Sendable {
  let session: Session
  let tap: Tap
  /// A message of the third process, to be sent on.
  let upstream: Message<Exchange>
  /// How long anything may take.
  let patience: Duration

  /// Each can be done again, whatever became of it before.
  static let acts: [@Sendable (Talk) async throws -> Void] = [
    { try await $0.askForRefusal() }, { try await $0.notify() }, { try await $0.exchange() },
    { try await $0.stream() }, { try await $0.withdraw() }, { try await $0.passHandles() },
    { try await $0.withdrawHandles() }, { try await $0.answerLate() }, { try await $0.finish() },
    { try await $0.waitForRoom() }, { try await $0.giveUpMemory() }, { try await $0.sendOn() },
    { try await $0.abandonChannel() },
  ]

  private func open(_ metadata: String = "") async throws -> Channel<Exchange> {
    try await session.openChannel(Exchange.self, metadata: Metadata(metadata.utf8), timeout: patience)
  }

  private func message(
    _ channel: Channel<Exchange>, _ text: String, _ number: UInt64 = 0
  ) throws -> MessageBuilder<Exchange> {
    var message = try channel.makeMessage()
    message.root.text = text
    message.root.number = number
    return message
  }

  @discardableResult private func ask(_ channel: Channel<Exchange>, _ text: String) async throws -> Message<Exchange> {
    let question = try message(channel, text)
    return try await channel.request(question, timeout: patience)
  }

  private func tell(_ channel: Channel<Exchange>, _ text: String) async throws {
    let note = try message(channel, text)
    try await channel.notify(note, timeout: patience)
  }

  /// openChannel, channelRefused.
  private func askForRefusal() async throws {
    do {
      _ = try await session.openChannel(Remark.self, timeout: patience)
      throw MatrixError("a channel of a type that is not taken was opened")
    } catch SessionError.channelRefused(.unknownType, _) {}
  }

  /// openChannel, channelOpened, notification, lane-grant, lane-close.
  private func notify() async throws {
    let channel = try await open()
    for _ in 0..<9 { try await tell(channel, "nothing") }
    try await ask(channel, "echo")
    channel.close()
  }

  /// request, response, segment, failure.
  private func exchange() async throws {
    let channel = try await open()
    var question = try message(channel, "large")
    question.root.initChunks(1).initData(at: 0, byteCount: 100_000) { output in output.append(1, as: UInt8.self) }
    _ = try await channel.request(question, timeout: patience)
    do {
      try await ask(channel, "fail")
      throw MatrixError("a failure was a success")
    } catch ChannelError.failed(code: 42, _, _) {}
  }

  /// item, more, end.
  private func stream() async throws {
    let channel = try await open()
    let question = try message(channel, "stream")
    let items = try await channel.requestStream(question, timeout: patience)
    var count = 0
    for try await _ in items { count += 1 }
    guard count == Responder.streamLength else { throw MatrixError("\(count) items of a stream") }
  }

  /// cancel.
  private func withdraw() async throws {
    let channel = try await open()
    let question = try message(channel, "hang")
    do {
      _ = try await channel.request(question, timeout: .milliseconds(1))
      throw MatrixError("what hangs was answered")
    } catch ChannelError.timedOut {}
    try await ask(channel, "echo")
  }

  /// handles, both ways, and handlesSettled.
  private func passHandles() async throws {
    let channel = try await open()
    let question = try message(channel, "handle")
    let handles = try Responder.manyHandles()
    let answer = try await channel.request(question, handles: handles, timeout: patience)
    guard answer.takeHandles().count == handles.count else { throw MatrixError("the handles did not come back") }
  }

  /// lane-probe and by the other end lane-answer: a message for which there is no credit. withdrawHandles: one for which there
  /// is no room takes its handles back.
  private func withdrawHandles() async throws {
    let channel = try await open("mute")
    for _ in 0..<4 { try await tell(channel, "unheard") }
    let handle = try Handle.open("/dev/null", .readOnly)
    let note = try message(channel, "unsent")
    do {
      try await channel.notify(note, handles: [handle], timeout: .milliseconds(1))
      throw MatrixError("a notification without credit was sent")
    } catch ChannelError.timedOut {}
    let other = try await open()
    try await tap.withoutRoom {
      let note = try message(other, "nothing")
      do {
        try await other.notify(note, handles: [handle], timeout: .milliseconds(1))
        throw MatrixError("a notification without room was sent")
      } catch ChannelError.timedOut {}
    }
    try await ask(other, "echo")
  }

  /// late, by the other end.
  private func answerLate() async throws {
    let channel = try await open()
    try await tell(channel, "nothing")
    try tap.sendLateAnswer()
    try await ask(channel, "echo")
  }

  /// finish.
  private func finish() async throws {
    let channel = try await open()
    channel.finishSending()
    try await ask(open(), "echo")
    channel.close()
  }

  /// returned, by the other end: it returns what this one waits for.
  private func waitForRoom() async throws {
    let channel = try await open()
    try await ask(channel, "release")
    try await session.waitForRoom(byteCount: Setting.largeByteCount, timeout: patience)
    try await hold(channel)
    do {
      try await session.waitForRoom(byteCount: Setting.largeByteCount, timeout: .milliseconds(1))
      throw MatrixError("there is room for what is held")
    } catch SessionError.timedOut {}
    try await ask(channel, "release")
    try await session.waitForRoom(byteCount: Setting.largeByteCount, timeout: patience)
  }

  private func hold(_ channel: Channel<Exchange>) async throws {
    var question = try message(channel, "hold")
    question.root.initChunks(1).initData(at: 0, byteCount: Setting.largeByteCount) { output in
      output.append(1, as: UInt8.self)
    }
    _ = try await channel.request(question, timeout: patience)
  }

  /// retireSegment.
  private func giveUpMemory() async throws {
    let channel = try await open()
    repeat {
      try await ask(channel, "echo")
      session.trimMemory()
    } while session.segments.contains { !$0.isBorrowed && $0.byteCount >= Setting.largeByteCount }
    try await ask(channel, "echo")
  }

  /// shareSegment, and by the other end segmentShared.
  private func sendOn() async throws {
    let channel = try await open()
    _ = try await channel.request(forwarding: upstream, timeout: patience)
  }

  /// abandonChannel: one with a link of its own, which the other end takes when nobody waits for it any more.
  private func abandonChannel() async throws {
    do {
      _ = try await session.openChannel(Tree.self, link: .own(.socket), timeout: .milliseconds(1))
      throw MatrixError("a channel that nobody took was opened")
    } catch SessionError.timedOut {}
    let channel = try await open()
    try await ask(channel, "take")
    try await ask(channel, "echo")
  }

  /// Has the other end act.
  func haveItAct() async throws {
    let channel = try await open()
    try await ask(channel, "act")
  }

  /// Has the other end close the session.
  func haveItClose() async throws {
    let channel = try await open()
    try await tell(channel, "close")
  }
}
