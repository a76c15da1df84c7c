import Foundation
import PerfDemoSchema
import Sluice
import SystemPackage

/// Serves files the classic way: responses stand in private memory and are written to a Unix stream socket. Each
/// connection has a thread of its own, which blocks.
final class ClassicServer: Sendable {
  /// What a request may take.
  private static let maxRequestByteCount = 1 << 16

  private let path: FilePath
  private let listener: Handle
  private let responses: [String: FramedMessage]

  /// Listens, and serves from then on. A socket that a dead server left at the path is replaced.
  ///
  /// - Parameter responses: By name of file.
  /// - Throws: `DemoError.classicConnection`, also when a living server listens there.
  init(at path: FilePath, responses: [String: FramedMessage]) throws(DemoError) {
    self.path = path
    self.responses = responses
    do {
      try Self.removeLeftover(at: path)
      listener = try UnixSocket.listen(at: path)
      try UnixSocket.setBlocking(true, of: listener)
    } catch {
      throw DemoError.classicConnection(path, reason: "\(error)")
    }
    Thread.detachNewThread { self.acceptAll() }
  }

  /// Removes the socket, so that nobody connects any more; connections end with the process.
  func close() {
    // It may be gone already, with the directory around it.
    try? FileManager.default.removeItem(atPath: path.string)
  }

  private static func removeLeftover(at path: FilePath) throws {
    guard let status = try? path.stat(followTargetSymlink: false), status.type == .socket else { return }
    do {
      _ = try UnixSocket.connect(to: path, deadline: .now)
    } catch  where error.errno == .connectionRefused {
      try FileManager.default.removeItem(atPath: path.string)
    }
  }

  private func acceptAll() {
    do {
      while true {
        guard let socket = try UnixSocket.accept(listener) else { continue }
        let connection = try StreamConnection(socket, maxMessageByteCount: Self.maxRequestByteCount)
        let transferred = Transferred(connection)
        Thread.detachNewThread { self.serve(transferred.connection) }
      }
    } catch {
      Terminal.complain("the classic server accepts no more connections: \(error)")
    }
  }

  /// Answers requests until the client closes the connection.
  private func serve(_ connection: StreamConnection) {
    do {
      var response: FramedMessage?
      while try connection.receive({ response = try self.response(to: $0) }) {
        if let response { try connection.send(response) }
      }
    } catch {
      Terminal.complain("a classic connection failed: \(error)")
    }
  }

  private func response(to request: borrowing MessageSegments) throws -> FramedMessage {
    let root = try request.root(as: Cache.self)
    guard case .getCacheReq(let request) = try root.which else {
      return try FramedMessage { $0.root.fail(.notARequest, "expected getCacheReq") }
    }
    let fileName = try request.fileName
    return try responses[fileName] ?? FramedMessage { $0.root.fail(.unknownFile, "there is no '\(fileName)' here") }
  }

  /// Moves a connection to the one thread that uses it from then on.
  private struct Transferred: @unchecked Sendable {
    let connection: StreamConnection

    init(_ connection: sending StreamConnection) { self.connection = connection }
  }
}

extension Cache.Builder {
  /// Makes this the answer to a request that is not served.
  func fail(_ reason: Failure.Reason, _ detail: String) {
    let failure = initFailure()
    failure.reason = reason
    failure.detail = detail
  }
}
