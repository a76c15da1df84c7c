import SluiceSystem
import Synchronization
import SystemPackage

/// Why a listener could not be made, or could not accept.
public enum ListenerError: Error, Sendable, Hashable, CustomStringConvertible {
  /// There is something at that path. A leftover of a dead listener must be removed first, by whoever knows that it is
  /// one: who holds the lock.
  case addressInUse(FilePath)
  /// The path is longer than a socket's address can be. Use a shorter runtime directory.
  case pathTooLong(FilePath, limit: Int)
  /// This process's descriptor table has no room (`RLIMIT_NOFILE`). The connection was refused; its peer sees the end of
  /// the stream. Close descriptors, or raise the limit.
  case descriptorTableFull(limit: Int)
  /// The listener was closed.
  case closed
  /// A system call failed in a way that nothing above foresees.
  case failed(SystemError)

  /// What went wrong, with the limit that was met.
  public var description: String {
    switch self {
    case .addressInUse(let path): "\(path) is in use"
    case .pathTooLong(let path, let limit): "\(path) has more than \(limit) bytes"
    case .descriptorTableFull(let limit): "descriptor table full (RLIMIT_NOFILE is \(limit)): a connection was refused"
    case .closed: "the listener is closed"
    case .failed(let error): "\(error)"
    }
  }
}

/// Accepts connections at a path. Owns the path: it goes when the listener is closed or released. Thread-safe.
public final class SocketListener: Sendable {
  /// Where it listens.
  public let path: FilePath
  private let socket: Handle
  private let identity: Inode?
  private let state: Mutex<State>

  private struct State {
    var isClosed = false
    /// Given up for a moment to refuse a connection when the descriptor table is full; else the connection would stay in
    /// the backlog, and the descriptor readable for ever.
    var reserve: Handle?
  }

  /// Listens at a path.
  ///
  /// - Parameters:
  ///   - permissions: Who may connect needs write permission; they stand before anybody can connect.
  ///   - backlog: How many connections wait to be accepted before further ones are refused or wait.
  public init(
    at path: FilePath, permissions: FilePermissions = .ownerReadWrite, backlog: Int = 128
  ) throws(ListenerError) {
    self.path = path
    do {
      socket = try UnixSocket.listen(at: path, backlog: backlog, permissions: permissions)
      identity = try FileSystem.status(of: path)?.inode
      state = Mutex(State(reserve: try socket.duplicated()))
    } catch {
      switch error.errno {
      case .addressInUse: throw .addressInUse(path)
      case .fileNameTooLong: throw .pathTooLong(path, limit: UnixSocket.maxPathByteCount)
      case .tooManyOpenFiles: throw .descriptorTableFull(limit: ResourceLimit.openDescriptors)
      default: throw .failed(error)
      }
    }
  }

  deinit {
    close()
  }

  /// Readable when a connection waits. Valid while the listener lives.
  public var descriptor: FileDescriptor { socket.descriptor }

  /// Accepts a connection, close-on-exec and non-blocking; `nil` when none waits.
  public func tryAccept() throws(ListenerError) -> Handle? {
    try state.withLock { (state) throws(ListenerError) -> Handle? in
      if state.isClosed { throw .closed }
      do throws(SystemError) {
        return try UnixSocket.accept(socket)
      } catch  where error.errno == .tooManyOpenFiles {
        state.reserve = nil
        _ = try? UnixSocket.accept(socket)
        state.reserve = try? socket.duplicated()
        throw .descriptorTableFull(limit: ResourceLimit.openDescriptors)
      } catch {
        throw .failed(error)
      }
    }
  }

  /// Stops listening, and removes the path if it is still this listener's. Connections that wait are refused.
  public func close() {
    state.withLock { state in
      guard !state.isClosed else { return }
      state.isClosed = true
      state.reserve = nil
      if let found = try? FileSystem.status(of: path), found.inode == identity {
        _ = try? FileSystem.removeFile(path)
      }
      try? UnixSocket.finish(socket)
    }
  }
}
