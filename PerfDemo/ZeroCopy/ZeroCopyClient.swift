import PerfDemoSchema
import Sluice

/// Asks for files on a channel of a session, and reads the responses where the server built them.
struct ZeroCopyClient: Exchange {
  let mode = Mode.zeroCopy
  /// The session's link.
  let transport: String

  /// How long a response may take, however busy the machine is.
  private static let timeout = Duration.seconds(30)

  let channel: Channel<Cache>

  init(channel: Channel<Cache>, of session: Session) {
    self.channel = channel
    transport = session.linkKind.description
  }

  func roundTrip(_ verifier: ResponseVerifier, inFull: Bool) async throws -> Duration {
    do {
      return try await exchange(verifier, inFull: inFull)
    } catch let error as ChannelError {
      throw DemoError(error)
    }
  }

  private func exchange(_ verifier: ResponseVerifier, inFull: Bool) async throws -> Duration {
    var request = try channel.makeMessage()
    request.root.initGetCacheReq().fileName = verifier.file.name

    let clock = ContinuousClock()
    let start = clock.now
    let message = try await channel.request(request, timeout: Self.timeout)
    let root = try message.root
    try root.requireResponse(to: verifier.file.name)
    let response = try root.getCacheRsp
    let ends = try ResponseEnds(of: response)
    let time = clock.now - start

    try verifier.verify(ends, mode: mode)
    if inFull { try verifier.verify(response, mode: mode) }
    return time
  }
}
