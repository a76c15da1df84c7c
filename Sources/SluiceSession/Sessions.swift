/// The sessions that clients open with a server.
public struct Sessions: AsyncSequence, Sendable {
  /// Kept, so that the server does not stop under the loop.
  let server: SessionServer

  /// Takes one session after the other.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let server: SessionServer

    /// The next session; nil after the server's shutdown, or when the task was cancelled.
    public mutating func next() async throws(SessionError) -> Session? { try await server.nextSession() }
  }

  /// Another iterator: each session goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(server: server) }
}
