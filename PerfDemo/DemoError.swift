import Sluice
import SystemPackage

/// What ends the demo early, each with the one line that the user sees.
enum DemoError: Error, Equatable {
  /// An entry of `--sizes` is no size.
  case badSize(String, reason: String)
  /// `--sizes` and `--files` exclude each other.
  case sizesAndFiles
  /// The payloads would not fit into this machine's memory.
  case tooLarge(total: ByteSize, memory: ByteSize)
  /// A directory cannot be read.
  case unreadableDirectory(FilePath, reason: String)
  /// A directory has nothing to serve.
  case emptyDirectory(FilePath)
  /// A file cannot be read or written.
  case fileFailure(FilePath, reason: String)
  /// The client was asked for a file that its directory does not have.
  case missingFile(String, directory: FilePath)
  /// The server does not have the file.
  case unknownFile(String, reason: String)
  /// The server answered what the schema does not allow.
  case unexpectedResponse(String)
  /// A response differs from the file on disk.
  case mismatch(file: String, mode: String, detail: String)
  /// The classic connection failed.
  case classicConnection(FilePath, reason: String)
  /// The session could not be opened, or ended.
  case session(String)
}

extension DemoError: CustomStringConvertible {
  var description: String {
    switch self {
    case .badSize(let text, let reason): "'\(text)' is no payload size: \(reason)"
    case .sizesAndFiles: "--sizes is for generated files, --files brings its own: give one of them"
    case .tooLarge(let total, let memory):
      "payloads of \(total) need about three times as much memory; this machine has \(memory)"
    case .unreadableDirectory(let path, let reason): "cannot read the directory \(path): \(reason)"
    case .emptyDirectory(let path): "the directory \(path) has no regular file with content in it"
    case .fileFailure(let path, let reason): "\(path): \(reason)"
    case .missingFile(let name, let directory): "there is no file '\(name)' in \(directory) to compare with"
    case .unknownFile(let name, let reason): "the server has no file '\(name)': \(reason)"
    case .unexpectedResponse(let detail): "the server answered against the schema: \(detail)"
    case .mismatch(let file, let mode, let detail): "'\(file)' arrived wrong (\(mode)): \(detail)"
    case .classicConnection(let path, let reason): "classic connection at \(path): \(reason)"
    case .session(let detail): detail
    }
  }
}

extension DemoError {
  /// Runs the body and turns an error of the library's into one of the demo's, whose text is the library's.
  static func describing<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw described(error) }
  }

  /// The same for a body that waits.
  static func describing<Result>(
    _ body: nonisolated(nonsending) () async throws -> Result
  ) async throws -> Result {
    do { return try await body() } catch { throw described(error) }
  }

  /// What became of an exchange on a session's channel.
  init(_ error: ChannelError) {
    switch error {
    case .timedOut: self = .session("the server did not answer in time")
    case .sessionEnded(.peerDied(let pid)): self = .session("the session has ended: the server, process \(pid), died")
    case .sessionEnded(let end): self = .session("the session has ended: \(end)")
    default: self = .session("the exchange failed: \(error)")
    }
  }

  private static func described(_ error: any Error) -> any Error {
    switch error {
    case is DemoError, is CancellationError: error
    case let error as ChannelError: DemoError(error)
    default: DemoError.session("\(error)")
    }
  }
}
