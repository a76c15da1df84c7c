import PerfDemoSchema

/// One way of asking for a file: the seam between what is measured and how it travels.
protocol Exchange: Sendable {
  var mode: Mode { get }
  /// What carries the bytes, in Sluice's words for transports.
  var transport: String { get }

  /// Sends a request for the file and waits for the response. The clock runs from just before the request is sent until
  /// just after the four end bytes were read; verification comes after it.
  ///
  /// - Parameter inFull: Whether to verify every chunk; the end bytes are always verified.
  /// - Throws: `DemoError`.
  func roundTrip(_ verifier: ResponseVerifier, inFull: Bool) async throws -> Duration
}

extension Cache.Reader {
  /// The file's content, if that is what the message is.
  ///
  /// - Throws: `DemoError.unknownFile` or `.unexpectedResponse` when it is something else.
  func requireResponse(to fileName: String) throws {
    switch try which {
    case .getCacheRsp: return
    case .failure(let failure):
      let detail = try failure.detail
      guard case .unknownFile = failure.reason else { throw DemoError.unexpectedResponse("it says: \(detail)") }
      throw DemoError.unknownFile(fileName, reason: detail)
    case .getCacheReq: throw DemoError.unexpectedResponse("it sent a request")
    case .unknown(let tag): throw DemoError.unexpectedResponse("a message of unknown kind \(tag)")
    }
  }
}
