import SluiceSystem

/// The greeting over a bare socket: a frame there and a frame back, and not a byte more is read, so that what follows is
/// left to the transport that is made then.
private struct SocketGreeting: ~Copyable {
  private let socket: Handle
  private let handshake: Handshake
  private let frame: [UInt8]
  private var sentByteCount = 0
  private var received: [UInt8] = []

  enum Step {
    case agreed(Agreement)
    case wait(IOEvents)
  }

  init(_ socket: Handle, _ handshake: Handshake) throws(HandshakeError) {
    self.socket = socket
    self.handshake = handshake
    do {
      frame = unsafe try FrameEncoder(maxBlobSize: Handshake.helloByteCount).frame(handshake.hello.span.bytes)
    } catch {
      throw .transport(error)
    }
  }

  /// Does what can be done without waiting.
  mutating func step() throws(HandshakeError) -> Step {
    do {
      let frame = frame
      while sentByteCount < frame.count {
        let rest = unsafe frame.span.bytes.extracting(droppingFirst: sentByteCount)
        guard let count = try UnixSocket.send(on: socket, rest) else { return .wait(.writable) }
        sentByteCount += count
      }
      while received.count < frame.count {
        guard try receive() else { return .wait(.readable) }
      }
    } catch let error as HandshakeError {
      throw error
    } catch let error as SystemError {
      let isClosed = [.brokenPipe, .connectionReset, .socketNotConnected].contains(error.errno)
      throw .transport(isClosed ? .peerClosed : .failed(error))
    } catch {
      throw .malformedHello(byteCount: received.count)
    }
    return .agreed(try handshake.agreement(with: Array(received.dropFirst(FrameHeader.byteCount))))
  }

  private mutating func receive() throws -> Bool {
    var bytes = [UInt8](repeating: 0, count: frame.count - received.count)
    // Sound: the call writes at most the array's count.
    let result = unsafe try bytes.withUnsafeMutableBytes { unsafe try UnixSocket.receive(on: socket, into: $0) }
    guard let result else { return false }
    guard result.byteCount > 0 else { throw HandshakeError.noHello }
    received.append(contentsOf: bytes.prefix(result.byteCount))
    // A greeting has no handles, and its header is the one that we sent ourselves.
    guard result.handles.isEmpty, !result.lostHandles,
      received.prefix(FrameHeader.byteCount).elementsEqual(frame.prefix(min(received.count, FrameHeader.byteCount)))
    else { throw HandshakeError.malformedHello(byteCount: received.count) }
    return true
  }
}

extension SocketTransport {
  /// Greets the peer over a connected socket, and makes the transport that was agreed on; blocking.
  ///
  /// - Parameters:
  ///   - socket: Non-blocking, and new: nothing was sent or received. Of no further use to others.
  ///   - deadline: `nil` waits for ever.
  /// - Returns: The transport, whose `maxBlobSize` is the agreement's.
  public static func greet(
    over socket: Handle, _ handshake: Handshake, options: SocketOptions = SocketOptions(),
    deadline: ContinuousClock.Instant?
  ) throws(HandshakeError) -> (transport: SocketTransport, agreement: Agreement) {
    var greeting = try SocketGreeting(socket, handshake)
    while true {
      switch try greeting.step() {
      case .agreed(let agreement): return try make(socket, agreement, options)
      case .wait(let events):
        let ready: IOEvents
        do { ready = try Poll.wait(for: socket.descriptor, events, deadline: deadline) } catch {
          throw .transport(.failed(error))
        }
        if ready.isEmpty { throw .transport(.timedOut) }
      }
    }
  }

  /// Greets the peer over a connected socket, suspending. As above.
  nonisolated(nonsending) public static func greet(
    over socket: Handle, _ handshake: Handshake, options: SocketOptions = SocketOptions(),
    deadline: ContinuousClock.Instant?, on reactor: Reactor = .shared
  ) async throws(HandshakeError) -> (transport: SocketTransport, agreement: Agreement) {
    var greeting = try SocketGreeting(socket, handshake)
    while true {
      switch try greeting.step() {
      case .agreed(let agreement): return try make(socket, agreement, options)
      case .wait(let events):
        switch await reactor.wait(for: socket.descriptor, events, deadline: deadline) {
        case .ready: break
        case .timedOut: throw .transport(.timedOut)
        case .cancelled: throw .transport(.cancelled)
        case .failed(let error): throw .transport(.failed(error))
        }
      }
    }
  }

  private static func make(
    _ socket: Handle, _ agreement: Agreement, _ options: SocketOptions
  ) throws(HandshakeError) -> (transport: SocketTransport, agreement: Agreement) {
    do {
      return (try SocketTransport(socket: socket, maxBlobSize: agreement.maxBlobSize, options: options), agreement)
    } catch {
      throw .transport(error)
    }
  }
}
