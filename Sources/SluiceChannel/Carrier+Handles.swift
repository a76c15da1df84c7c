import SluiceSystem
import SluiceTransport
import SluiceWaiting
import Synchronization

// How the handles of messages travel: on the control socket, ahead of the envelopes that claim them on a link.
//
// Whoever sends handles has the lane's credit for the envelope by then, which only room on the link can hold up: so no handles
// wait for an application that is slow to take messages. And it has credit for the handles themselves: see `HandleCredits`.
extension Carrier {
  /// The credit for handles, and who waits for some.
  struct HandleSending {
    var credits = HandleCredits()
    var waiters: [OneShot<Bool>] = []
  }

  // MARK: Sending

  /// Sends the handles of a message. Then the lane's credit is taken, too, if the message costs one; else nothing is, and
  /// what stands in the way is returned.
  func sendHandles(
    _ handles: [Handle], of outgoing: borrowing Outgoing, on lane: Lane, of link: Link
  ) -> Link.SendOutcome? {
    guard let control = attachedControl else { return .ended }
    // In this order: who waits here has taken nothing, and so wakes nobody in vain.
    if let signal = takeHandleCredit(handles.count) {
      guard link.wait(with: signal, on: lane) else {
        signal.fulfill(false)
        return .ended
      }
      return .blocked(signal)
    }
    if outgoing.isCharged, let obstacle = link.takeCredit(on: lane) {
      putBackHandleCredit(handles.count)
      return obstacle
    }
    let ownLane = link === self.link ? 0 : lane.number
    if let signal = control.sendHandles(handles, ticket: outgoing.envelope.handleTicket, lane: ownLane) {
      putBackHandleCredit(handles.count)
      if outgoing.isCharged { link.putBackCredit(on: lane) }
      return .blocked(signal)
    }
    return nil
  }

  /// Nil when it is taken, else the signal to wait for.
  private func takeHandleCredit(_ count: Int) -> OneShot<Bool>? {
    handleSending.withLock { sending in
      if sending.credits.take(count) { return nil }
      let signal = OneShot<Bool>()
      sending.waiters.removeAll { $0.isFulfilled }
      sending.waiters.append(signal)
      return signal
    }
  }

  private func putBackHandleCredit(_ count: Int) {
    _ = changeHandleCredits {
      $0.putBack(count)
      return true
    }
  }

  /// The other end has told how many handles wait no more, in all; false when that cannot be.
  package func handlesSettled(_ total: UInt64) -> Bool { changeHandleCredits { $0.settled(total) } }

  private func changeHandleCredits(_ change: (inout HandleCredits) -> Bool) -> Bool {
    let (isRight, waiters) = handleSending.withLock { sending -> (Bool, [OneShot<Bool>]) in
      guard change(&sending.credits) else { return (false, []) }
      defer { sending.waiters = [] }
      return (true, sending.waiters)
    }
    for waiter in waiters { waiter.fulfill(true) }
    return isRight
  }

  // MARK: Receiving

  /// Handles arrived ahead of their envelope; false when the other end broke the rules with them.
  ///
  /// - Parameter lane: The one whose own link the envelope comes on; 0 for the session's.
  package func handlesArrived(_ handles: [Handle], ticket: UInt32, lane: UInt32) -> Bool {
    unclaimedHandles.withLock { $0.arrived(handles, ticket: ticket, lane: lane) }
  }

  /// The envelope of these handles will not come.
  package func handlesWithdrawn(ticket: UInt32) {
    _ = claimHandles(ticket)
  }

  /// The link that a channel had of its own has ended: no more envelopes come on it.
  package func ownLinkEnded(_ lane: UInt32) {
    _ = settle { $0.takeAll(lane: lane) }
  }

  /// The session has ended: what was not claimed is closed.
  package func end() {
    _ = unclaimedHandles.withLock { $0.takeAll() }
  }

  /// Most handles that may have arrived ahead of their envelopes.
  package static var unclaimedLimit: Int { HandleCredits.limit }

  /// Whether handles wait under that ticket.
  func haveHandlesArrived(_ ticket: UInt32) -> Bool { unclaimedHandles.withLock { $0.hasArrived(ticket) } }

  /// The handles that wait under that ticket; nil for none.
  func claimHandles(_ ticket: UInt32) -> [Handle]? { settle { $0.take(ticket) } }

  private func settle<Taken>(_ take: (inout UnclaimedHandles) -> Taken) -> Taken {
    // Its release may be the end of the session: not under the lock.
    let control = attachedControl
    defer { withExtendedLifetime(control) {} }
    return unclaimedHandles.withLock { unclaimed in
      let taken = take(&unclaimed)
      // Under the lock: totals are told in their order.
      if let total = unclaimed.totalToTell() { control?.tellHandlesSettled(total) }
      return taken
    }
  }
}
