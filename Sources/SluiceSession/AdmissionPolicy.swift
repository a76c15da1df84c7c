import SluiceSystem
import SluiceTransport
import SystemPackage

/// Who may open a session. A pure value: it sees the client's claims and the kernel's word, and decides.
struct AdmissionPolicy {
  /// Why a client is not admitted.
  struct Refusal: Error, Hashable {
    let reason: RefusalReason
    let message: String
  }

  let app: ServerApp
  /// The server's own user.
  let uid: UInt32
  /// The group that counts with ``AccessLevel/group``.
  let gid: UInt32
  let versions: ProtocolVersions

  /// The version on which the session runs.
  func check(_ hello: Control.Hello, _ peer: PeerIdentity) throws(Refusal) -> UInt32 {
    guard let version = versions.common(with: hello.versions) else {
      throw Refusal(
        reason: .versionMismatch,
        message: "the server speaks version \(versions) of the protocol, the client \(hello.versions)")
    }
    guard hello.serverApp == app.name else {
      throw Refusal(reason: .wrongServer, message: "this is “\(app.name)”, not “\(hello.serverApp)”")
    }
    try checkAccess(peer)
    guard let client = app.clients.first(where: { $0.name == hello.clientApp }) else {
      throw Refusal(reason: .clientNotAllowed, message: "the app “\(hello.clientApp)” may not open sessions")
    }
    try check(peer, against: client)
    guard SessionName.isWellFormed(hello.session) else {
      throw Refusal(reason: .malformedHello, message: "not a name for a session")
    }
    return version
  }

  private func checkAccess(_ peer: PeerIdentity) throws(Refusal) {
    let found = peer.credentials.uid
    switch app.access {
    case .anyone: return
    case .user:
      guard found == uid else { throw .identity("user \(found) may not open sessions, only user \(uid)") }
    case .group:
      guard found == uid || peer.belongs(toGroup: gid) else {
        throw .identity("user \(found) may not open sessions, only users of group \(gid)")
      }
    }
  }

  private func check(_ peer: PeerIdentity, against client: ClientApp) throws(Refusal) {
    if let uid = client.uid, peer.credentials.uid != uid {
      throw .identity("“\(client.name)” is of user \(uid), not of user \(peer.credentials.uid)")
    }
    if let gid = client.gid, !peer.belongs(toGroup: gid) {
      throw .identity("“\(client.name)” is of group \(gid), not of group \(peer.credentials.gid)")
    }
    if let executable = client.executable, let problem = peer.mismatch(with: executable) {
      throw .identity("“\(client.name)” is the program \(executable); \(problem)")
    }
  }
}

extension AdmissionPolicy.Refusal {
  fileprivate static func identity(_ message: String) -> Self { Self(reason: .identityNotAllowed, message: message) }
}

extension PeerIdentity {
  /// Why the process does not run `executable`, or cannot be shown to; nil if it does.
  func mismatch(with executable: FilePath) -> String? {
    do {
      let found = try executablePath()
      return found == executable ? nil : "it runs \(found)"
    } catch {
      return "what it runs cannot be seen: \(error)"
    }
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
