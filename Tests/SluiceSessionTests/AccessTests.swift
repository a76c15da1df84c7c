import Foundation
import Sluice
import SystemPackage
import Testing

@testable import SluiceSession

/// Whose processes may open sessions: by access level, user, group and program, on the kernel's word.
@Suite(.timeLimit(.minutes(2))) struct AccessTests {
  private func reason(_ app: ServerApp, _ peer: PeerIdentity, client: String = "test-client") -> RefusalReason? {
    let hello = Control.Hello(
      versions: .current, serverApp: app.name, clientApp: client, session: "1-00000000", metadata: .none,
      returnTable: .init(capacity: 1, byteCount: 4096))
    let policy = AdmissionPolicy(app: app, uid: 1000, gid: app.gid ?? 50, versions: .current)
    do throws(AdmissionPolicy.Refusal) {
      _ = try policy.check(hello, peer)
      return nil
    } catch {
      return error.reason
    }
  }

  private func peer(uid: UInt32, gid: UInt32 = 7, groups: [UInt32] = []) -> PeerIdentity {
    PeerIdentity(credentials: PeerCredentials(pid: 1, uid: uid, gid: gid), groups: groups)
  }

  private func app(_ access: AccessLevel, gid: UInt32? = nil, _ client: ClientApp = "test-client") -> ServerApp {
    ServerApp("server", allowing: [client], access: access, gid: gid)
  }

  @Test func `an access level lets in its users and nobody else, whatever a client says`() {
    #expect(reason(app(.user), peer(uid: 1000)) == nil)
    #expect(reason(app(.user), peer(uid: 1001)) == .identityNotAllowed)
    #expect(reason(app(.user), peer(uid: 0)) == .identityNotAllowed)
    #expect(reason(app(.group), peer(uid: 1001)) == .identityNotAllowed)
    #expect(reason(app(.group), peer(uid: 1001, gid: 50)) == nil)
    #expect(reason(app(.group), peer(uid: 1001, groups: [3, 50])) == nil)
    #expect(reason(app(.group, gid: 60), peer(uid: 1001, gid: 50)) == .identityNotAllowed)
    #expect(reason(app(.group, gid: 60), peer(uid: 1000, gid: 50)) == nil)
    #expect(reason(app(.anyone), peer(uid: 77)) == nil)
    #expect(reason(app(.anyone), peer(uid: 77), client: "other") == .clientNotAllowed)
  }

  @Test func `a client app may name its user, its group and its program`() throws {
    let named = app(.anyone, ClientApp("test-client", uid: 5, gid: 6))
    #expect(reason(named, peer(uid: 5, gid: 6)) == nil)
    #expect(reason(named, peer(uid: 5, gid: 7, groups: [6])) == nil)
    #expect(reason(named, peer(uid: 5, gid: 7)) == .identityNotAllowed)
    #expect(reason(named, peer(uid: 4, gid: 6)) == .identityNotAllowed)
    let ours = FilePath(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    let this = PeerIdentity(
      credentials: PeerCredentials(pid: getpid(), uid: geteuid(), gid: getegid()),
      process: try ProcessHandle(pid: getpid()))
    #expect(reason(app(.anyone, ClientApp("test-client", executable: ours)), this) == nil)
    #expect(reason(app(.anyone, ClientApp("test-client", executable: "/bin/true")), this) == .identityNotAllowed)
    // What cannot be looked at is refused.
    #expect(reason(app(.anyone, ClientApp("test-client", executable: ours)), peer(uid: 1)) == .identityNotAllowed)
  }

  @Test func `the runtime directory follows the environment and the access level`() {
    func path(_ access: AccessLevel = .user, uid: UInt32? = nil, in environment: [String: String]) -> FilePath {
      RuntimeDirectory(for: ServerApp("s", allowing: [], access: access, uid: uid)) { environment[$0] }.path
    }
    let own = geteuid()
    #expect(path(in: [:]) == FilePath("/tmp/sluice-\(own)"))
    #expect(path(in: ["XDG_RUNTIME_DIR": "/run/user/1"]) == "/run/user/1/sluice")
    #expect(path(in: ["XDG_RUNTIME_DIR": "/run/user/1", "SLUICE_RUNTIME_DIR": "/x"]) == "/x")
    #expect(path(uid: own + 1, in: ["XDG_RUNTIME_DIR": "/run/user/1"]) == FilePath("/tmp/sluice-\(own + 1)"))
    for access in [AccessLevel.group, .anyone] {
      #expect(path(access, in: ["XDG_RUNTIME_DIR": "/run/user/1"]) == "/run/sluice")
      #expect(path(access, in: ["SLUICE_RUNTIME_DIR": "/x"]) == "/x")
    }
  }

  private func mode(_ path: FilePath) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
    return try #require(attributes[.posixPermissions] as? Int)
  }

  @Test(
    arguments: [
      (AccessLevel.user, 0o700, 0o700, 0o600), (.group, 0o755, 0o750, 0o660), (.anyone, 0o755, 0o755, 0o666),
    ] as [(AccessLevel, Int, Int, Int)])
  func `modes of directory, folder and socket follow the access level`(
    access: AccessLevel, directoryMode: Int, folderMode: Int, socketMode: Int
  ) async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory, access: access)
      let server = try SessionServer(app)
      let folder = directory.appending(app.name)
      #expect(try mode(directory) == directoryMode)
      #expect(try mode(folder) == folderMode)
      #expect(try mode(folder.appending("socket")) == socketMode)
      _ = try await ClientSession.connect(testClient, to: app)
      server.shutdown()
    }
  }

  @Test func `a directory that lets nobody else in does not do for wider access`() async throws {
    try await withRuntimeDirectory { directory in
      try FileManager.default.createDirectory(
        atPath: directory.string, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
      await expectSessionError("runtimeDirectory") { error in
        if case .runtimeDirectory(path: directory.string, let problem) = error {
          problem.contains("755")
        } else {
          false
        }
      } _: {
        try SessionServer(testApp(directory, access: .anyone))
      }
    }
  }

  @Test func `a server that is not of the user or group that its app names does not start`() async throws {
    try await withRuntimeDirectory { directory in
      for app in [testApp(directory, uid: geteuid() + 1), testApp(directory, gid: getegid() + 1)] {
        await expectSessionError("wrongServerIdentity") { error in
          if case .wrongServerIdentity = error { true } else { false }
        } _: {
          try SessionServer(app)
        }
      }
    }
  }

  @Test func `a client refuses a server of another program than the app names`() async throws {
    try await withRuntimeDirectory { directory in
      let server = try SessionServer(testApp(directory))
      await expectSessionError("wrongServerIdentity") { error in
        if case .wrongServerIdentity(let what) = error { what.contains("/bin/true") } else { false }
      } _: {
        try await ClientSession.connect(testClient, to: testApp(directory, executable: "/bin/true"))
      }
      server.shutdown()
    }
  }

  // MARK: Two users

  @Test(.enabled(if: isRoot)) func `a client of another user is served where anyone may, and nowhere else`()
    async throws
  {
    try await withRuntimeDirectory { directory in
      let open = testApp(directory, access: .anyone)
      let server = try SessionServer(open)
      let serving = serve(server)
      try await withPeer("ask", directory, "test-client", "uid=\(stranger)", "access=anyone", "server=0") { peer in
        let line = try await peer.line("")
        #expect(line == "answered 2")
      }
      // A client that does not expect a server of that user refuses it.
      try await withPeer("ask", directory, "test-client", "uid=\(stranger)", "access=anyone", "server=7") { peer in
        let line = try await peer.line("")
        #expect(line.contains("of user 0, not of user 7"))
      }
      server.shutdown()
      try await serving.value
    }
    // To a server for its own user the way is barred by the file system already.
    try await withRuntimeDirectory { directory in
      let server = try SessionServer(testApp(directory))
      try await withPeer("ask", directory, "test-client", "uid=\(stranger)", "server=0") { peer in
        let line = try await peer.line("error")
        #expect(line.contains("Permission denied"))
      }
      // And if it were not, by the kernel's word: here the folder stands open, and the client claims to be allowed.
      let folder = directory.appending(directory.lastComponent?.string ?? "")
      for path in [directory, folder] { chmod(path.string, 0o755) }
      chmod(folder.appending("socket").string, 0o666)
      try await withPeer("ask", directory, "test-client", "uid=\(stranger)", "server=0") { peer in
        let line = try await peer.line("error")
        #expect(line.contains("identityNotAllowed") && line.contains("user \(stranger)"), "\(line)")
      }
      server.shutdown()
    }
  }

  @Test(.enabled(if: isRoot)) func `a group lets in its members, also by a supplementary group`() async throws {
    try await withRuntimeDirectory { directory in
      let group: UInt32 = 4242
      let server = try SessionServer(testApp(directory, access: .group, gid: group))
      let serving = serve(server)
      for words in [["gid=\(group)"], ["gid=\(stranger)", "groups=\(group)"]] {
        try await withPeer(
          "ask", directory, words + ["test-client", "uid=\(stranger)", "access=group", "server=0", "group=\(group)"]
        ) { peer in
          let line = try await peer.line("")
          #expect(line == "answered 2")
        }
      }
      try await withPeer(
        "ask", directory, "test-client", "uid=\(stranger)", "gid=\(stranger)", "access=group", "server=0",
        "group=\(group)"
      ) { peer in
        let line = try await peer.line("error")
        #expect(line.contains("Permission denied"))
      }
      server.shutdown()
      try await serving.value
    }
  }

  @Test(.enabled(if: isRoot)) func `credentials win over what a client claims, and both ends log the refusal`()
    async throws
  {
    let log = LogRecorder()
    try await withRuntimeDirectory { directory in
      let app = testApp(directory, allowing: [ClientApp("test-client", uid: 77)], access: .anyone)
      let server = try SessionServer(app, options: log.options)
      try await withPeer("ask", directory, "test-client", "uid=\(stranger)", "access=anyone", "server=0") { peer in
        let line = try await peer.line("error")
        #expect(line.contains("identityNotAllowed") && line.contains("of user 77, not of user \(stranger)"))
      }
      server.shutdown()
      #expect(log.heard.count == 1)
      #expect(log.heard[0].contains("refused a client") && log.heard[0].contains("uid \(stranger)"))
    }
  }

  /// Echoes on all channels of all sessions.
  private func serve(_ server: SessionServer) -> Task<Void, any Error> {
    Task {
      for try await session in server.sessions {
        Task { try await echo(session) }
      }
    }
  }
}
