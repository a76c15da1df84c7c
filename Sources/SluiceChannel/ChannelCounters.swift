import Synchronization

/// What one channel has carried. Thread-safe.
struct ChannelCounters: ~Copyable, Sendable {
  private let messagesSent = Atomic<UInt64>(0)
  private let bytesSent = Atomic<UInt64>(0)
  private let messagesReceived = Atomic<UInt64>(0)
  private let bytesReceived = Atomic<UInt64>(0)
  private let messagesDropped = Atomic<UInt64>(0)

  func sent(byteCount: Int) {
    messagesSent.wrappingAdd(1, ordering: .relaxed)
    bytesSent.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
  }

  /// Only one thread at a time receives: there is no race between the load and the store.
  func received(byteCount: Int) {
    messagesReceived.store(messagesReceived.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    bytesReceived.store(bytesReceived.load(ordering: .relaxed) &+ UInt64(byteCount), ordering: .relaxed)
  }

  func dropped() { messagesDropped.wrappingAdd(1, ordering: .relaxed) }

  var traffic: Traffic {
    Traffic(
      messagesSent: messagesSent.load(ordering: .relaxed), bytesSent: bytesSent.load(ordering: .relaxed),
      messagesReceived: messagesReceived.load(ordering: .relaxed),
      bytesReceived: bytesReceived.load(ordering: .relaxed),
      messagesDropped: messagesDropped.load(ordering: .relaxed))
  }
}

/// What went through a channel, or all channels of a session.
public struct Traffic: Sendable, Hashable {
  /// Messages that this end sent.
  public package(set) var messagesSent: UInt64 = 0
  /// Their bytes, as their segments have them.
  public package(set) var bytesSent: UInt64 = 0
  /// Messages that arrived.
  public package(set) var messagesReceived: UInt64 = 0
  /// Their bytes.
  public package(set) var bytesReceived: UInt64 = 0
  /// Messages that arrived and that nobody took: late responses, and what came to a channel that was closed.
  public package(set) var messagesDropped: UInt64 = 0

  /// Both together.
  package static func + (one: Traffic, other: Traffic) -> Traffic {
    Traffic(
      messagesSent: one.messagesSent &+ other.messagesSent, bytesSent: one.bytesSent &+ other.bytesSent,
      messagesReceived: one.messagesReceived &+ other.messagesReceived,
      bytesReceived: one.bytesReceived &+ other.bytesReceived,
      messagesDropped: one.messagesDropped &+ other.messagesDropped)
  }

  /// Nothing yet.
  package init(
    messagesSent: UInt64 = 0, bytesSent: UInt64 = 0, messagesReceived: UInt64 = 0, bytesReceived: UInt64 = 0,
    messagesDropped: UInt64 = 0
  ) {
    self.messagesSent = messagesSent
    self.bytesSent = bytesSent
    self.messagesReceived = messagesReceived
    self.bytesReceived = bytesReceived
    self.messagesDropped = messagesDropped
  }
}
