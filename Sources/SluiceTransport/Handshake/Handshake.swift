/// Why two ends of a bare connection did not come to terms. The connection is of no further use.
public enum HandshakeError: Error, Sendable, Hashable, CustomStringConvertible {
  /// There is no version that both ends speak. The other end fails with the same, the other way round.
  case versionMismatch(ours: ProtocolVersions, theirs: ProtocolVersions)
  /// What the peer sent first is no greeting: it does not speak this protocol.
  case malformedHello(byteCount: Int)
  /// The peer accepts blobs of this size only, which is none.
  case invalidMaxBlobSize(UInt64)
  /// The peer ended the stream without a greeting.
  case noHello
  /// The transport failed, the deadline passed, or the task was cancelled.
  case transport(TransportError)

  /// What went wrong; for versions, with both ranges.
  public var description: String {
    switch self {
    case .versionMismatch(let ours, let theirs): "no common version: this end speaks \(ours), the other end \(theirs)"
    case .malformedHello(let byteCount): "the other end began with \(byteCount) bytes that are no greeting"
    case .invalidMaxBlobSize(let size): "the other end accepts blobs of \(size) bytes"
    case .noHello: "the other end closed without a greeting"
    case .transport(let error): "\(error)"
    }
  }
}

/// What two ends have agreed on; the same at both.
public struct Agreement: Sendable, Hashable {
  /// The highest version that both speak.
  public var version: UInt32
  /// How many bytes a blob may have, in both directions: the smaller of the two limits.
  public var maxBlobSize: Int
}

/// The greeting of a bare connection, one that belongs to no session: which versions of the user's protocol an end speaks,
/// and how large blobs may be. Both ends say theirs at once, and come to the same conclusion. A pure value.
///
/// | offset | bytes | meaning; all numbers little-endian |
/// |---|---|---|
/// | 0 | 8 | magic: "SLUICE", 0, and the version of this layout, 1 |
/// | 8 | 4 | the lowest version |
/// | 12 | 4 | the highest version |
/// | 16 | 8 | how many bytes a blob may have |
public struct Handshake: Sendable, Hashable {
  /// The size of a greeting.
  public static let helloByteCount = 24
  private static let magic: [UInt8] = Array("SLUICE".utf8) + [0, 1]

  /// What this end speaks.
  public let versions: ProtocolVersions
  /// How many bytes this end lets a blob have.
  public let maxBlobSize: Int

  /// Says what this end offers.
  ///
  /// - Parameter maxBlobSize: 1 byte to 1 GiB; others are brought into that range.
  public init(versions: ProtocolVersions, maxBlobSize: Int = SocketTransport.defaultMaxBlobSize) {
    self.versions = versions
    self.maxBlobSize = min(max(maxBlobSize, 1), FrameHeader.maxBlobByteCount)
  }

  /// The greeting to send.
  public var hello: [UInt8] {
    let numbers: [(UInt64, Int)] = [
      (UInt64(versions.lowest), 4), (UInt64(versions.highest), 4), (UInt64(maxBlobSize), 8),
    ]
    return Self.magic
      + numbers.flatMap { number, count in (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
  }

  /// Comes to terms with the peer's greeting.
  public func agreement(with hello: [UInt8]) throws(HandshakeError) -> Agreement {
    guard hello.count == Self.helloByteCount, hello.starts(with: Self.magic) else {
      throw .malformedHello(byteCount: hello.count)
    }
    func number(_ range: Range<Int>) -> UInt64 {
      hello[range].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    let theirs = ProtocolVersions(
      lowest: UInt32(truncatingIfNeeded: number(8..<12)), highest: UInt32(truncatingIfNeeded: number(12..<16)))
    guard let version = versions.common(with: theirs) else {
      throw .versionMismatch(ours: versions, theirs: theirs)
    }
    let theirLimit = number(16..<24)
    guard theirLimit > 0 else { throw .invalidMaxBlobSize(theirLimit) }
    return Agreement(version: version, maxBlobSize: min(maxBlobSize, Int(clamping: theirLimit)))
  }
}

extension Transport {
  /// Greets the peer over a transport of any kind, blocking: each end sends one frame and receives one, the first ones.
  ///
  /// - Parameters:
  ///   - handshake: What this end offers, of blobs no more than the transport's own `maxBlobSize` (24 bytes at least).
  ///   - deadline: `nil` waits for ever.
  /// - Returns: What was agreed on. To hold to its `maxBlobSize` is the caller's part; with sockets, `SocketTransport.greet`
  ///   makes the transport do it.
  /// - Throws: When there is no agreement; the transport is closed then.
  public func greet(_ handshake: Handshake, deadline: ContinuousClock.Instant?) throws(HandshakeError) -> Agreement {
    let offer = Handshake(versions: handshake.versions, maxBlobSize: min(handshake.maxBlobSize, maxBlobSize))
    let frame: ReceivedFrame?
    do throws(TransportError) {
      // The bytes of integers, here and below, which have no padding.
      unsafe try send(offer.hello.span.bytes, deadline: deadline)
      frame = try receive(deadline: deadline)
    } catch {
      close()
      throw .transport(error)
    }
    return try agree(offer, frame)
  }

  /// Greets the peer, suspending. As above.
  nonisolated(nonsending) public func greet(
    _ handshake: Handshake, deadline: ContinuousClock.Instant?, on reactor: Reactor = .shared
  ) async throws(HandshakeError) -> Agreement {
    let offer = Handshake(versions: handshake.versions, maxBlobSize: min(handshake.maxBlobSize, maxBlobSize))
    let frame: ReceivedFrame?
    do throws(TransportError) {
      unsafe try await send(offer.hello.span.bytes, deadline: deadline, on: reactor)
      frame = try await receive(deadline: deadline, on: reactor)
    } catch {
      close()
      throw .transport(error)
    }
    return try agree(offer, frame)
  }

  private func agree(_ handshake: Handshake, _ frame: ReceivedFrame?) throws(HandshakeError) -> Agreement {
    do throws(HandshakeError) {
      guard let frame else { throw HandshakeError.noHello }
      return try handshake.agreement(with: frame.bytes)
    } catch {
      close()
      throw error
    }
  }
}
