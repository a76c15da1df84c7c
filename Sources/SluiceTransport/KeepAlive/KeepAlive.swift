/// When to ping, and when a peer counts as idle. A pure value: times in, actions out.
public struct KeepAlive: Sendable, Hashable {
  /// Both are off unless set: a debugger stops a process without killing it.
  public struct Limits: Sendable, Hashable {
    /// Ping when nothing was sent for so long; `nil` never. At least a millisecond.
    public var pingInterval: Duration?
    /// The peer counts as idle when nothing came from it for so long; `nil` never. At least a millisecond; several of the
    /// peer's ping intervals leave room for a busy machine.
    public var idleTimeout: Duration?

    /// Both off.
    public init(pingInterval: Duration? = nil, idleTimeout: Duration? = nil) {
      self.pingInterval = pingInterval.map { max($0, .milliseconds(1)) }
      self.idleTimeout = idleTimeout.map { max($0, .milliseconds(1)) }
    }
  }

  /// What is due.
  public enum Action: Sendable, Hashable {
    /// Send a ping.
    case ping
    /// Nothing came for the idle timeout.
    case peerIdle(after: Duration)
  }

  /// When to do what.
  public let limits: Limits
  private var lastSent: ContinuousClock.Instant
  private var lastReceived: ContinuousClock.Instant
  private var isSending = true
  private var isReceiving = true

  /// Starts both clocks.
  public init(_ limits: Limits, now: ContinuousClock.Instant) {
    self.limits = limits
    lastSent = now
    lastReceived = now
  }

  /// Something was sent, or there is no room because something else is under way.
  public mutating func sent(at now: ContinuousClock.Instant) { lastSent = max(lastSent, now) }
  /// Something came, or waits to be received.
  public mutating func received(at now: ContinuousClock.Instant) { lastReceived = max(lastReceived, now) }
  /// This end sends no more: no pings.
  public mutating func finishedSending() { isSending = false }
  /// The peer sends no more: it cannot be idle.
  public mutating func reachedEnd() { isReceiving = false }

  private var pingTime: ContinuousClock.Instant? { isSending ? limits.pingInterval.map { lastSent + $0 } : nil }
  private var idleTime: ContinuousClock.Instant? { isReceiving ? limits.idleTimeout.map { lastReceived + $0 } : nil }

  /// When to look again; `nil`: never.
  public var nextTime: ContinuousClock.Instant? {
    guard let pingTime, let idleTime else { return pingTime ?? idleTime }
    return min(pingTime, idleTime)
  }

  /// What is due now. An idle peer is not pinged any more.
  public func due(at now: ContinuousClock.Instant) -> Action? {
    if let idleTime, let timeout = limits.idleTimeout, idleTime <= now { return .peerIdle(after: timeout) }
    if let pingTime, pingTime <= now { return .ping }
    return nil
  }
}
