import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing
import TestSupport

@Suite("A handshake of a bare connection") struct HandshakeTests {
  private let ours = Handshake(versions: ProtocolVersions(lowest: 2, highest: 5), maxBlobSize: 5000)

  @Test("finds the highest common version and the smaller limit, the same at both ends")
  func agreement() throws {
    let theirs = Handshake(versions: ProtocolVersions(lowest: 3, highest: 9), maxBlobSize: 3000)
    let expected = try ours.agreement(with: theirs.hello)
    #expect(expected.version == 5 && expected.maxBlobSize == 3000)
    #expect(try theirs.agreement(with: ours.hello) == expected)
    #expect(ours.hello.count == Handshake.helloByteCount)
  }

  @Test(
    "knows no version in common with a range beside it, or upside down", arguments: [(6, 9), (0, 1), (4, 3), (9, 2)])
  func mismatch(lowest: UInt32, highest: UInt32) throws {
    let theirs = ProtocolVersions(lowest: lowest, highest: highest)
    let error = HandshakeError.versionMismatch(ours: ours.versions, theirs: theirs)
    #expect(throws: error) { try ours.agreement(with: Handshake(versions: theirs).hello) }
    #expect("\(error)".contains("2 to 5") && "\(error)".contains("\(theirs)"))
  }

  @Test("refuses what is no greeting, and survives any bytes")
  func malformed() throws {
    #expect(throws: HandshakeError.malformedHello(byteCount: 0)) { try ours.agreement(with: []) }
    #expect(throws: HandshakeError.malformedHello(byteCount: 25)) { try ours.agreement(with: ours.hello + [0]) }
    var zero = ours.hello
    zero.replaceSubrange(16..<24, with: [UInt8](repeating: 0, count: 8))
    #expect(throws: HandshakeError.invalidMaxBlobSize(0)) { try ours.agreement(with: zero) }
    var huge = ours.hello
    huge.replaceSubrange(16..<24, with: [UInt8](repeating: 255, count: 8))
    #expect(try ours.agreement(with: huge).maxBlobSize == 5000)
    var random = SeededGenerator(seed: 1)
    for _ in 0..<2000 {
      var hello = ours.hello
      for _ in 0...3 { hello[.random(in: 0..<24, using: &random)] = .random(in: 0...255, using: &random) }
      if let agreed = try? ours.agreement(with: hello) {
        #expect((2...5).contains(agreed.version) && (1...5000).contains(agreed.maxBlobSize))
      }
    }
  }

  @Test("makes socket transports that hold to it, and loses nothing that follows at once")
  func sockets() async throws {
    let (left, right) = try UnixSocket.pair()
    let theirs = Handshake(versions: ProtocolVersions(lowest: 1, highest: 4), maxBlobSize: 64)
    let eager = Task {
      let (transport, agreement) = try await SocketTransport.greet(over: right, theirs, deadline: patience())
      for number in UInt8(0)..<20 { try await transport.send(([number] as [UInt8]).span.bytes, deadline: patience()) }
      return (transport, agreement)
    }
    let (transport, agreement) = try await SocketTransport.greet(over: left, ours, deadline: patience())
    let (other, same) = try await eager.value
    #expect(agreement == same && agreement.version == 4 && agreement.maxBlobSize == 64)
    for number in UInt8(0)..<20 {
      #expect(try await transport.receive(deadline: patience())?.bytes == [number])
    }
    #expect(transport.maxBlobSize == 64 && other.maxBlobSize == 64)
    #expect(throws: TransportError.blobTooLarge(byteCount: 65, limit: 64)) {
      try transport.trySend([UInt8](repeating: 0, count: 65))
    }
  }

  @Test("fails at both ends when there is no common version, blocking or not", arguments: [true, false])
  func bothFail(isBlocking: Bool) async throws {
    let (left, right) = try UnixSocket.pair()
    let theirs = Handshake(versions: ProtocolVersions(lowest: 7, highest: 9))
    let other = Task { () -> HandshakeError? in
      do throws(HandshakeError) {
        _ = try await SocketTransport.greet(over: right, theirs, deadline: patience())
        return nil
      } catch {
        return error
      }
    }
    await #expect(throws: HandshakeError.versionMismatch(ours: ours.versions, theirs: theirs.versions)) {
      if isBlocking {
        _ = try blocking { try SocketTransport.greet(over: left, ours, deadline: patience()) }
      } else {
        _ = try await SocketTransport.greet(over: left, ours, deadline: patience())
      }
    }
    #expect(await other.value == .versionMismatch(ours: theirs.versions, theirs: ours.versions))
  }

  @Test("ends at a peer that says something else, half of it, nothing, or sends handles along")
  func hostile() throws {
    func outcome(_ bytes: [UInt8], handles: [Handle] = [], closing: Bool = true) throws -> HandshakeError? {
      let (left, right) = try UnixSocket.pair()
      if !bytes.isEmpty { #expect(try UnixSocket.send(on: right, bytes.span.bytes, handles: handles) == bytes.count) }
      if closing { try UnixSocket.finishSending(right) }
      do throws(HandshakeError) {
        _ = try SocketTransport.greet(over: left, ours, deadline: closing ? patience() : .now)
        return nil
      } catch {
        return error
      }
    }
    let frame = try FrameEncoder(maxBlobSize: 24).frame(ours.hello)
    #expect(try outcome(frame) == nil)
    #expect(try outcome(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)) == .malformedHello(byteCount: 32))
    #expect(try outcome([0xE1]) == .noHello)
    #expect(try outcome([]) == .noHello)
    #expect(try outcome(Array(frame.prefix(31)), closing: false) == .transport(.timedOut))
    #expect(try outcome(frame, handles: [try EventCounter().handle]) == .malformedHello(byteCount: 32))
  }

  @Test("works over every kind", arguments: PairKind.allCases)
  func overAnyKind(kind: PairKind) async throws {
    let (left, right) = try kind.pair(maxBlobSize: 2000)
    let theirs = Handshake(versions: ProtocolVersions(lowest: 1, highest: 3), maxBlobSize: 1000)
    let other = Task { try await right.greet(theirs, deadline: patience()) }
    let agreed = try await left.greet(ours, deadline: patience())
    #expect(try await other.value == agreed)
    #expect(agreed.version == 3 && agreed.maxBlobSize == 1000)
    #expect(try left.trySend([1]) == .sent)
    #expect(try await right.receive(deadline: patience())?.bytes == [1])
  }
}
