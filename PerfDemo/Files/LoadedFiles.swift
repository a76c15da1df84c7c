import PerfDemoSchema
import Sluice

/// The responses to all requests that a server can serve, built beforehand: in private memory for the classic way, in
/// the server-wide arena for sessions.
struct LoadedFiles: Sendable {
  private(set) var classic: [String: FramedMessage] = [:]
  private(set) var zeroCopy: [String: ZeroCopyServer.CachedResponse] = [:]

  /// Loads every file of the store, twice.
  ///
  /// - Throws: `DemoError`, or `CancellationError` between two chunks.
  init(_ store: FileStore, for server: SessionServer, _ progress: Progress) throws {
    for file in store.files {
      progress.step("loading \(file.name) (\(file.size))")
      classic[file.name] = try FramedMessage { try ResponseBuilder.fill(&$0, with: file) }
      try DemoError.describing {
        var message = try server.makeMessage(Cache.self)
        try ResponseBuilder.fill(&message, with: file)
        zeroCopy[file.name] = ZeroCopyServer.CachedResponse(message)
      }
    }
  }
}
