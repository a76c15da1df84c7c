import SluiceSystem
import SluiceTransport

/// Who may open a session. A pure value: it sees the client's claims and the kernel's word, and decides.
struct AdmissionPolicy {
  /// Why a client is not admitted.
  struct Refusal: Error, Hashable {
    let reason: RefusalReason
    let message: String
  }

  let app: ServerApp
  /// The user whose processes may be clients.
  let uid: UInt32
  let versions: ProtocolVersions

  /// The version on which the session runs.
  func check(_ hello: Control.Hello, credentials: PeerCredentials) throws(Refusal) -> UInt32 {
    guard let version = versions.common(with: hello.versions) else {
      throw Refusal(
        reason: .versionMismatch,
        message: "the server speaks version \(versions) of the protocol, the client \(hello.versions)")
    }
    guard hello.serverApp == app.name else {
      throw Refusal(reason: .wrongServer, message: "this is “\(app.name)”, not “\(hello.serverApp)”")
    }
    guard credentials.uid == uid else {
      throw Refusal(
        reason: .identityNotAllowed, message: "user \(credentials.uid) may not open sessions, only user \(uid)")
    }
    guard app.allowedClients.contains(hello.clientApp) else {
      throw Refusal(reason: .clientNotAllowed, message: "the app “\(hello.clientApp)” may not open sessions")
    }
    guard SessionName.isWellFormed(hello.session) else {
      throw Refusal(reason: .malformedHello, message: "not a name for a session")
    }
    return version
  }
}

/// How sessions are named.
enum SessionName {
  /// A name for a new session of this process.
  static func make() -> String {
    let random = String(UInt32.random(in: 0...UInt32.max), radix: 16)
    return "\(UserIdentity.processID)-\(String(repeating: "0", count: 8 - random.utf8.count))\(random)"
  }

  /// A number, a dash, and eight hexadecimal digits.
  static func isWellFormed(_ name: String) -> Bool {
    guard name.utf8.count <= 32, name.utf8.allSatisfy({ $0 < 0x80 }) else { return false }
    let halves = name.split(separator: "-", omittingEmptySubsequences: false)
    return halves.count == 2 && !halves[0].isEmpty && halves[0].allSatisfy(\.isNumber) && halves[1].count == 8
      && halves[1].allSatisfy(\.isHexDigit)
  }
}
