import SluiceChannel
import SluiceSystem
import SluiceTransport
import SystemPackage

/// Opens sessions with servers.
public enum ClientSession {
  /// Opens a session with the server of `server`, as `client`.
  ///
  /// - Parameters:
  ///   - metadata: The application's own, for the server; at most ``Session/metadataLimit`` bytes.
  ///   - timeout: How long the server may take to answer.
  /// - Throws: ``SessionError``: ``SessionError/serverNotRunning(app:)`` at once without a server,
  ///   ``SessionError/refused(_:message:)``, ``SessionError/versionMismatch(ours:theirs:)``,
  ///   ``SessionError/timedOut``, and others.
  public static func connect(
    _ client: ClientApp, to server: ServerApp, metadata: [UInt8] = [], timeout: Duration = .seconds(5),
    options: SessionOptions = SessionOptions()
  ) async throws(SessionError) -> Session {
    let handshake = try ClientHandshake(client, server, metadata: metadata, timeout: timeout, options: options)
    do {
      let transport = handshake.transport
      // Sound: bytes have no padding.
      unsafe try await transport.send(
        handshake.hello.span.bytes, handles: handshake.handles, deadline: handshake.deadline, on: options.reactor)
      return try handshake.finish(
        with: try await transport.receive(deadline: handshake.deadline, on: options.reactor))
    } catch {
      throw handshake.failed(error)
    }
  }

  /// As ``connect(_:to:metadata:timeout:options:)``, but blocks the thread.
  public static func connectSync(
    _ client: ClientApp, to server: ServerApp, metadata: [UInt8] = [], timeout: Duration = .seconds(5),
    options: SessionOptions = SessionOptions()
  ) throws(SessionError) -> Session {
    let handshake = try ClientHandshake(client, server, metadata: metadata, timeout: timeout, options: options)
    do {
      let transport = handshake.transport
      // Sound: bytes have no padding.
      unsafe try transport.send(handshake.hello.span.bytes, handles: handshake.handles, deadline: handshake.deadline)
      return try handshake.finish(with: try transport.receive(deadline: handshake.deadline))
    } catch {
      throw handshake.failed(error)
    }
  }
}
