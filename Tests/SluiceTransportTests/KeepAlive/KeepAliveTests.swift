import SluiceTransport
import Testing

@Suite("The keep-alive clock") struct KeepAliveTests {
  private let start = ContinuousClock.now

  private func clock(ping: Duration? = nil, idle: Duration? = nil) -> KeepAlive {
    KeepAlive(KeepAlive.Limits(pingInterval: ping, idleTimeout: idle), now: start)
  }

  @Test("is off unless set")
  func off() {
    let clock = clock()
    #expect(clock.nextTime == nil)
    #expect(clock.due(at: start + .seconds(1_000_000)) == nil)
  }

  @Test("pings when nothing was sent for the interval, and not before")
  func pings() {
    var clock = clock(ping: .seconds(2))
    #expect(clock.nextTime == start + .seconds(2))
    #expect(clock.due(at: start + .milliseconds(1999)) == nil)
    #expect(clock.due(at: start + .seconds(2)) == .ping)
    clock.sent(at: start + .seconds(1))
    #expect(clock.due(at: start + .seconds(2)) == nil)
    #expect(clock.due(at: start + .seconds(3)) == .ping)
    // A time before the last one, from another thread, changes nothing.
    clock.sent(at: start)
    #expect(clock.nextTime == start + .seconds(3))
    clock.finishedSending()
    #expect(clock.nextTime == nil)
  }

  @Test("tells an idle peer when nothing came for the timeout, whatever was sent")
  func idle() {
    var clock = clock(ping: .seconds(1), idle: .seconds(5))
    for second in 1..<5 {
      #expect(clock.due(at: start + .seconds(second)) == .ping)
      clock.sent(at: start + .seconds(second))
    }
    #expect(clock.due(at: start + .seconds(5)) == .peerIdle(after: .seconds(5)))
    clock.received(at: start + .seconds(4))
    #expect(clock.due(at: start + .seconds(8)) == .ping)
    #expect(clock.due(at: start + .seconds(9)) == .peerIdle(after: .seconds(5)))
    clock.reachedEnd()
    #expect(clock.due(at: start + .seconds(9)) == .ping)
  }

  @Test("never spins, whatever the limits")
  func limits() {
    let limits = KeepAlive.Limits(pingInterval: .zero, idleTimeout: .seconds(-1))
    #expect(limits.pingInterval == .milliseconds(1) && limits.idleTimeout == .milliseconds(1))
  }
}
