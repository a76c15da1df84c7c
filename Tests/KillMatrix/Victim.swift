import Foundation
import Sluice
import SluiceSession
import Synchronization
import SystemPackage
import TestSchema

/// The process that stops itself at a step: it listens or connects, answers, and acts when it is asked to.
func beVictim(_ words: Words) async throws {
  let setting = try Setting(words)
  guard let role = SessionRole(rawValue: try words["role"]), let blow = Blow(rawValue: try words["blow"]) else {
    throw MatrixError("no such role, or blow")
  }
  let step = try Step(words["step"], of: role)
  let toSkip = Atomic(step.skipCount)
  let hasStruck = Atomic(false)
  let tap = try Tap { reached in
    guard reached == step, toSkip.wrappingSubtract(1, ordering: .relaxed).newValue < 0 else { return }
    guard !hasStruck.exchange(true, ordering: .relaxed) else { return }
    // To this very thread: it goes no further.
    pthread_kill(pthread_self(), blow == .kill ? SIGKILL : SIGSTOP)
  }
  var options = setting.options
  tap.install(in: &options)
  let upstream = try await Upstream.message(setting)
  switch role {
  case .server:
    let server = try SessionServer(setting.app, options: options)
    for try await session in server.sessions {
      // Of an attempt that was given up, there may be a rest.
      if await converse(session, tap, upstream).isOrderly { return }
    }
  case .client:
    do {
      _ = try await ClientSession.connect("nobody", to: setting.app, options: options)
      throw MatrixError("a client that is not allowed was let in")
    } catch SessionError.refused(.clientNotAllowed, _) {
    } catch let error as SessionError {
      // Who is stopped for longer than the server has patience is turned away, or not spoken to.
      guard hasStruck.load(ordering: .relaxed) else { throw error }
    }
    var hasTried = false
    while true {
      do {
        let session = try await ClientSession.connect("talker", to: setting.app, options: options)
        guard await converse(session, tap, upstream).isOrderly else {
          throw MatrixError("ended otherwise: \(String(describing: await session.end()))")
        }
        return
      } catch let error as SessionError {
        guard hasStruck.load(ordering: .relaxed), !hasTried else { throw error }
        hasTried = true
      }
    }
  }
}

/// Answers until the session has ended, and says how.
private func converse(_ session: Session, _ tap: Tap, _ upstream: Message<Exchange>) async -> SessionEnd {
  let talk = Talk(session: session, tap: tap, upstream: upstream, patience: .seconds(60))
  let responder = Responder(session) { for act in Talk.acts { try await act(talk) } }
  await responder.serve()
  return await session.end() ?? .closed
}

extension SessionEnd {
  /// Whether one of the two ends wanted it.
  var isOrderly: Bool {
    switch self {
    case .closed, .closedByPeer: true
    default: false
    }
  }
}

/// The victim, as its parent sees it.
struct VictimProcess: ~Copyable {
  enum Change: Equatable {
    case stopped
    case exited(Int32)
    case killed(Int32)
  }

  let processID: Int32
  /// Whether it has been seen stopped; then it goes on by now.
  private(set) var hasStopped = false
  private(set) var ended: Change?

  init(_ arguments: [String]) throws {
    let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    var pid: pid_t = 0
    var words: [UnsafeMutablePointer<CChar>?] = ([executable, "victim"] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    guard posix_spawn(&pid, executable, nil, nil, &words, environ) == 0 else { throw MatrixError("cannot spawn") }
    processID = pid
  }

  deinit {
    guard ended == nil else { return }
    kill(processID, SIGKILL)
    var status: Int32 = 0
    waitpid(processID, &status, 0)
  }

  /// Lets it go on if it has stopped.
  mutating func look() throws { try wait(WNOHANG) }

  /// Waits until it has ended; lets it go on if it has stopped.
  mutating func waitForEnd() throws -> Change {
    while true {
      if let ended { return ended }
      try wait(0)
    }
  }

  private mutating func wait(_ options: Int32) throws {
    guard ended == nil else { return }
    var status: Int32 = 0
    let pid = waitpid(processID, &status, options | WUNTRACED)
    guard pid != 0 else { return }
    guard pid == processID else { throw MatrixError("cannot wait for the victim") }
    // As <sys/wait.h> has it, in macros.
    if status & 0xff == 0x7f {
      hasStopped = true
      kill(processID, SIGCONT)
    } else if status & 0x7f == 0 {
      ended = .exited(status >> 8 & 0xff)
    } else {
      ended = .killed(status & 0x7f)
    }
  }
}
