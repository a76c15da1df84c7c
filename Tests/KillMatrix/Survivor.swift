import Foundation
import Sluice
import SluiceSession
import SystemPackage
import TestSchema

/// The process that goes on when the other one stops at a step: it must not wait in vain, nor keep anything.
struct Survivor {
  let setting: Setting
  let upstream: Message<Exchange>
  let tap = try? Tap { _ in }

  /// Goes through one step of the matrix.
  ///
  /// - Parameter isFirst: Whether nothing has been done in this process yet: it keeps what it makes for all sessions.
  func run(_ step: Step, of victimRole: SessionRole, _ blow: Blow, isFirst: Bool) async throws {
    let before = try Holdings(of: setting.app.name)
    // There before a victim looks for it.
    var server = victimRole == .client ? try SessionServer(setting.app, options: options) : nil
    var victim = try VictimProcess(
      setting.arguments + ["role=\(victimRole.rawValue)", "step=\(step)", "blow=\(blow.rawValue)"])
    do {
      try await meet(&victim, server, step, blow)
      server?.shutdown()
      server = nil
    }
    try judge(try victim.waitForEnd(), hasStopped: victim.hasStopped, blow)
    if victimRole == .server { try await findNobody() }
    // Who dies after an orderly end leaves its named segments to the next start.
    try SessionServer(setting.app, options: setting.options).shutdown()
    if !isFirst { try await before.waitUntilRestored(in: setting) }
  }

  private var options: SessionOptions {
    var options = setting.options
    tap?.install(in: &options)
    return options
  }

  private func judge(_ end: VictimProcess.Change, hasStopped: Bool, _ blow: Blow) throws {
    switch blow {
    case .kill: guard end == .killed(SIGKILL) else { throw MatrixError("the step was not reached: \(end)") }
    case .stop:
      guard hasStopped else { throw MatrixError("the step was not reached") }
      guard end == .exited(0) else { throw MatrixError("the process that was stopped did not end well: \(end)") }
    }
  }

  /// A server that is dead is none, and what it left is gone.
  private func findNobody() async throws {
    do {
      _ = try await ClientSession.connect("talker", to: setting.app, options: setting.options)
      throw MatrixError("connected to nobody")
    } catch SessionError.serverNotRunning {}
  }

  // MARK: The conversation

  private func meet(_ victim: inout VictimProcess, _ server: SessionServer?, _ step: Step, _ blow: Blow) async throws {
    guard let session = try await open(&victim, server, step, blow), let tap else { return }
    let isVictimToClose = step.passage == .control("goodbye") && step.moment.isOfSender
    let talk = Talk(session: session, tap: tap, upstream: upstream, patience: .zero)
    let responder = Responder(session) {}
    let serving = Task { await responder.serve() }
    var failure: (any Error)?
    do {
      for act in Talk.acts + [{ try await $0.haveItAct() }] {
        try await attempt(&victim) { try await act(talk.with(patience: $0)) }
      }
      if isVictimToClose {
        try await attempt(&victim) { try await talk.with(patience: $0).haveItClose() }
      } else {
        session.close(reason: "done")
      }
    } catch {
      guard error.isEndOfSession else {
        session.close(reason: "\(error)")
        throw error
      }
      failure = error
    }
    var patience = Self.patience
    var end: SessionEnd?
    while end == nil {
      end = session.endSync(timeout: patience)
      patience *= 2
      try victim.look()
    }
    await serving.value
    try judge(session, failure, end, victim.processID, step, blow, isVictimToClose: isVictimToClose)
  }

  /// Whatever was pending fails with the end of the session, and that is the right one.
  private func judge(
    _ session: Session, _ failure: (any Error)?, _ end: SessionEnd?, _ pid: Int32, _ step: Step, _ blow: Blow,
    isVictimToClose: Bool
  ) throws {
    let expected: SessionEnd
    switch (blow, step.passage) {
    case (.kill, .control("goodbye")) where step.moment == .sending: expected = .peerDied(pid: pid)
    case (_, .control("goodbye")), (.stop, _): expected = isVictimToClose ? .closedByPeer("as asked") : .closed
    case (.kill, _): expected = .peerDied(pid: pid)
    }
    guard end == expected else { throw MatrixError("ended with \(String(describing: end)), not \(expected)") }
    switch failure {
    case nil: guard expected != .peerDied(pid: pid) || isVictimToClose else { throw MatrixError("nothing failed") }
    case ChannelError.sessionEnded(expected)? where blow == .kill: break
    case SessionError.sessionEnded(expected)? where blow == .kill: break
    case let failure?: throw MatrixError("failed with \(failure), and ended with \(expected)")
    }
    let leases = session.statistics.leasesOut
    guard blow == .stop || leases == 0 else { throw MatrixError("\(leases) leases of a dead borrower") }
  }

  /// The session; nil when the victim died before there was one.
  private func open(
    _ victim: inout VictimProcess, _ server: SessionServer?, _ step: Step, _ blow: Blow
  ) async throws -> Session? {
    var patience = Self.patience
    var hasMet = false
    while true {
      defer { patience *= 2 }
      do {
        if let server {
          if let session = try server.nextSessionSync(timeout: patience) { return session }
        } else {
          try await askForRefusal(patience)
          hasMet = true
          return try await ClientSession.connect("talker", to: setting.app, timeout: patience, options: options)
        }
      } catch SessionError.timedOut {
        // The deadline of the handshake, or of this look.
        hasMet = true
      } catch SessionError.serverNotRunning {
        guard blow == .kill || !hasMet else { throw MatrixError("a stopped server was taken for none") }
      }
      try victim.look()
      if victim.ended != nil { return nil }
    }
  }

  private func askForRefusal(_ patience: Duration) async throws {
    do {
      _ = try await ClientSession.connect(
        "nobody", to: setting.app, waiting: patience, timeout: patience, options: options)
      throw MatrixError("a client that is not allowed was let in")
    } catch SessionError.refused(.clientNotAllowed, _) {}
  }

  /// How long to wait at first: for a stopped process in vain.
  private static let patience = Duration.milliseconds(40)

  /// Does it again, with more patience, if its deadline passes: whoever was stopped goes on by then.
  private func attempt(_ victim: inout VictimProcess, _ act: (Duration) async throws -> Void) async throws {
    var patience = Self.patience
    while true {
      do {
        return try await act(patience)
      } catch SessionError.timedOut {
      } catch ChannelError.timedOut {
      }
      patience *= 2
      try victim.look()
    }
  }
}

extension Error {
  /// Whether something failed because its session has ended.
  fileprivate var isEndOfSession: Bool {
    switch self as any Error {
    case ChannelError.sessionEnded, SessionError.sessionEnded: true
    default: false
    }
  }
}

extension Talk {
  fileprivate func with(patience: Duration) -> Talk {
    Talk(session: session, tap: tap, upstream: upstream, patience: patience)
  }
}
