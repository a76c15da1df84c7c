import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing
import TestSupport

/// A peer that writes into its half of a ring whatever it wants.
struct Forger {
  static let capacity = 4096
  let segment: Segment
  let bell: Doorbell
  let victim: RingTransport

  init(bell given: Handle? = nil) throws {
    segment = try Segment.create(
      name: "forger", byteCount: RingLayout.segmentByteCount(capacity: Forger.capacity),
      mirroredFrom: RingLayout.framesOffset)
    bell = try Doorbell()
    victim = try RingTransport(
      try RingTransport.prepare(name: "victim", capacity: Forger.capacity, maxBlobSize: 1000),
      peer: .init(capacity: Forger.capacity, maxBlobSize: 1000),
      handles: [segment.handle, given ?? bell.handle], spinning: .off)
  }

  func write(_ word: RingLayout.Word, _ value: UInt64) {
    segment.baseAddress.storeBytes(of: value, toByteOffset: word.rawValue, as: UInt64.self)
  }

  func writeHeader(_ value: UInt64, at offset: Int) {
    segment.baseAddress.storeBytes(of: value, toByteOffset: RingLayout.framesOffset + offset, as: UInt64.self)
  }
}

@Suite("A ring with a hostile peer") struct ForgedRingTests {
  @Test("turns forged cursors and lengths into errors that repeat")
  func violations() throws {
    var forger = try Forger()
    forger.writeHeader(1002, at: 0)
    var error = TransportError.protocolViolation(.frameLength(found: 1001, limit: 1000))
    for _ in 0..<2 { #expect(throws: error) { try forger.victim.tryReceive { _, _ in } } }
    #expect(try Poll.isReady(forger.victim.readDescriptor, .readable))
    #expect(error.endsConnection)

    forger = try Forger()
    forger.writeHeader(.max, at: 0)
    error = .protocolViolation(.frameLength(found: .max - 1, limit: 1000))
    #expect(throws: error) { try forger.victim.tryReceive { _, _ in } }

    // Half a ring's worth of published bytes too many, noticed with the first eighth.
    forger = try Forger()
    forger.writeHeader(RingLayout.header(500), at: 0)
    forger.write(.sent, 512 + 4096 + 64)
    error = .protocolViolation(.producerCursor(found: 4672, consumed: 512, capacity: 4096))
    for _ in 0..<2 { #expect(throws: error) { try forger.victim.tryReceive { _, _ in } } }

    forger = try Forger()
    forger.write(.received, 64)
    error = .protocolViolation(.consumerCursor(found: 64, confirmed: 0, sent: 0))
    for _ in 0..<2 { #expect(throws: error) { try forger.victim.trySend([1]) } }
  }

  @Test("is not fed for ever by frames that stand in a circle")
  func circle() throws {
    let forger = try Forger()
    for offset in stride(from: 0, to: Forger.capacity, by: 64) { forger.writeHeader(RingLayout.header(8), at: offset) }
    forger.write(.sent, 4096)
    var count = 0
    #expect(throws: TransportError.protocolViolation(.producerCursor(found: 4096, consumed: 4608, capacity: 4096))) {
      while true { count += try forger.victim.receiveAll { _ in true }.count }
    }
    #expect(count == 64)
  }

  @Test("takes a lie in any word of the segment for progress, an end or a violation, and else for nothing")
  func everyWord() throws {
    let words = RingLayout.Word.allCases.map(\.rawValue)
    // Where the next frame will begin: the others do not count before it.
    let next = RingLayout.framesOffset + RingLayout.lineByteCount
    var mutated: Set<Int> = []
    // Each word of the control page, and of a frame; each place where a frame can begin.
    let end = RingLayout.segmentByteCount(capacity: Forger.capacity)
    let offsets = Array(stride(from: 0, to: next + 64, by: 8)) + stride(from: next + 64, to: end, by: 64)
    for offset in offsets {
      for lie in [64, .max] as [UInt64] {
        let forger = try Forger()
        // A frame each way, so that no cursor is at its beginning.
        forger.write(.sent, 64)
        forger.writeHeader(RingLayout.header(8), at: 0)
        #expect(try forger.victim.receiveAll { _ in true }.count == 1)
        #expect(try forger.victim.trySend([1]) == .sent)
        let honest = forger.segment.baseAddress.load(fromByteOffset: offset, as: UInt64.self)
        forger.segment.baseAddress.storeBytes(of: honest ^ lie, toByteOffset: offset, as: UInt64.self)
        mutated.insert(offset)
        var outcome = ""
        do throws(TransportError) {
          let drain = try forger.victim.receiveAll { blob in
            #expect(blob.byteCount <= 1000)
            return true
          }
          outcome += "\(drain.count) \(drain.outcome)"
          while try forger.victim.trySend([UInt8](repeating: 1, count: 1000)) == .sent {}
          _ = try forger.victim.receive(deadline: .now)
        } catch {
          switch error {
          case .protocolViolation, .peerClosed, .timedOut: outcome += " \(error)"
          default: Issue.record("\(error)")
          }
        }
        if !words.contains(offset) && offset != next {
          #expect(outcome == "0 wouldBlock \(TransportError.timedOut)", "word at \(offset)")
        }
      }
    }
    #expect(mutated == Set(offsets) && mutated.isSuperset(of: words) && mutated.contains(next))
  }

  @Test("survives any words at all: frames or a typed error, in bounded time")
  func anything() throws {
    var random = SeededGenerator(seed: 31)
    var (violations, frames) = (0, 0)
    for round in 0..<2000 {
      let forger = try Forger()
      if round % 2 == 0 { _ = try Poll.isReady(forger.victim.readDescriptor, .readable) }
      if round % 4 < 2 { _ = forger.victim.writeDescriptor }
      var (sent, received): (UInt64, UInt64) = (0, 0)
      for _ in 0..<20 {
        // Mostly plausible progress, so that the checks behind the first one are met as well.
        switch Int.random(in: 0...9, using: &random) {
        case 0...4:
          let byteCount = Int.random(in: 0...600, using: &random)
          let offset = Int(sent % UInt64(Forger.capacity))
          sent += UInt64(RingLayout.frameByteCount(byteCount))
          forger.write(.sent, sent)
          forger.writeHeader(0, at: Int(sent % UInt64(Forger.capacity)))
          forger.writeHeader(RingLayout.header(byteCount), at: offset)
        case 5:
          received += 64 * .random(in: 0...20, using: &random)
          forger.write(.received, received)
        case 6: forger.writeHeader(random.hostileWord(near: 1000), at: 64 * .random(in: 0..<64, using: &random))
        default:
          let word = RingLayout.Word.allCases.randomElement(using: &random) ?? .sent
          forger.write(word, random.hostileWord(near: word == .sent ? sent : received))
        }
        do throws(TransportError) {
          let drain = try forger.victim.receiveAll { blob in
            #expect(blob.byteCount <= 1000)
            return true
          }
          frames += drain.count
          _ = try forger.victim.trySend([UInt8](repeating: 1, count: .random(in: 0...1000, using: &random)))
          _ = try forger.victim.receive(deadline: .now)
        } catch {
          switch error {
          case .protocolViolation: violations += 1
          case .peerClosed, .timedOut: break
          default: Issue.record("\(error)")
          }
        }
      }
    }
    #expect(violations > 1000 && frames > 1000)
  }

  @Test("refuses a segment that is unsealed, of another size or none")
  func setUp() throws {
    let other = try RingTransport.prepare(name: "other", capacity: 8192, maxBlobSize: 1000)
    let handles = other.handles
    func complete(_ capacity: Int, _ maxBlobSize: Int, _ handles: [Handle]) throws {
      _ = try RingTransport(
        try RingTransport.prepare(name: "ours"), peer: .init(capacity: capacity, maxBlobSize: maxBlobSize),
        handles: handles)
    }
    try complete(8192, 1000, handles)
    #expect(throws: RingSetupError.self) { try complete(4096, 1000, handles) }
    for capacity in [0, -1, .min, .max, 2048, 8191, 12288, 1 << 31] {
      #expect(throws: RingSetupError.invalidCapacity(capacity)) { try complete(capacity, 1, handles) }
    }
    for size in [0, -1, .min, .max, 4025] {
      #expect(throws: RingSetupError.invalidMaxBlobSize(size, limit: 4024)) { try complete(8192, size, handles) }
    }
    #expect(throws: RingSetupError.wrongHandleCount(1, expected: 2)) {
      try complete(8192, 1000, Array(handles.prefix(1)))
    }
    // Sealed against another size, but not against writing.
    let writable = try ReadWriteSegment.create(name: "writable", byteCount: 16_384)
    #expect {
      try complete(8192, 1000, [writable.handle, handles[1]])
    } throws: { error in
      guard case RingSetupError.segment(.unsealed("the peer's ring", let found, .required)) = error else {
        return false
      }
      return found.isSuperset(of: [.seal, .shrink, .grow]) && !found.contains(.futureWrite)
    }
    let pipe = try Canary()
    let end = pipe.reading
    #expect(throws: RingSetupError.segment(.notSealable(name: "the peer's ring"))) {
      try complete(8192, 1000, [end, handles[1]])
    }
  }

  @Test("is not blocked by a bell that is full, blocking, or no bell")
  func bells() throws {
    let pipe = try Canary()
    let (full, kept) = try UnixSocket.pair()
    try UnixSocket.setBlocking(true, of: full)
    while try UnixSocket.send(on: kept, [UInt8](repeating: 0, count: 4096).span.bytes) != nil {}
    for handle in [full, kept, pipe.reading] {
      let forger = try Forger(bell: handle)
      // As if the peer polled: frames and room make the victim ring and unblock.
      for generation in UInt64(1)...3 {
        forger.write(.frameEvent, generation)
        #expect(try forger.victim.trySend([1]) == .sent)
      }
      forger.victim.close()
    }
  }
}
