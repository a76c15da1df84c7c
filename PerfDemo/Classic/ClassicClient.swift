import Foundation
import PerfDemoSchema
import Sluice
import Synchronization
import SystemPackage

/// Asks for files the classic way. It blocks, so it works on a thread of its own.
final class ClassicClient: Exchange {
  let mode = Mode.classic
  let transport = "socket"

  private let path: FilePath
  private let connection: Mutex<StreamConnection>
  private let thread = DispatchQueue(label: "perf_demo.classic", qos: .userInitiated)

  /// Connects.
  ///
  /// - Parameter maxResponseByteCount: Larger responses are refused.
  /// - Throws: `DemoError.classicConnection` when no server listens at the path.
  init(connectingTo path: FilePath, maxResponseByteCount: Int) throws(DemoError) {
    self.path = path
    do {
      let socket = try UnixSocket.connect(to: path)
      connection = Mutex(try StreamConnection(socket, maxMessageByteCount: maxResponseByteCount))
    } catch {
      throw DemoError.classicConnection(path, reason: "\(error)")
    }
  }

  func roundTrip(_ verifier: ResponseVerifier, inFull: Bool) async throws -> Duration {
    try await withCheckedThrowingContinuation { continuation in
      thread.async {
        continuation.resume(with: Result { try self.blockingRoundTrip(verifier, inFull: inFull) })
      }
    }
  }

  private func blockingRoundTrip(_ verifier: ResponseVerifier, inFull: Bool) throws -> Duration {
    let request = try FramedMessage { $0.root.initGetCacheReq().fileName = verifier.file.name }
    return try connection.withLock { connection in
      let clock = ContinuousClock()
      var time = Duration.zero
      let start = clock.now
      do {
        try connection.send(request)
        let isOpen = try connection.receive { message in
          let root = try message.root(as: Cache.self)
          try root.requireResponse(to: verifier.file.name)
          let response = try root.getCacheRsp
          let ends = try ResponseEnds(of: response)
          time = clock.now - start
          try verifier.verify(ends, mode: mode)
          if inFull { try verifier.verify(response, mode: mode) }
        }
        guard isOpen else { throw DemoError.classicConnection(path, reason: "the server closed the connection") }
      } catch let error as SystemError {
        throw DemoError.classicConnection(path, reason: "\(error)")
      }
      return time
    }
  }
}
