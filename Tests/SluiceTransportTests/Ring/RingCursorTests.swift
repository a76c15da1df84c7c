import SluiceSystem
import SluiceTransport
import Testing
import TestSupport

@Suite("A ring's layout and cursors") struct RingCursorTests {
  @Test("puts each word where the table says, and hot words on lines of their own")
  func layout() {
    let offsets = Dictionary(uniqueKeysWithValues: RingLayout.Word.allCases.map { ($0, $0.rawValue) })
    #expect(
      offsets == [
        .sent: 0, .received: 128, .frameSleep: 256, .frameEvent: 264, .roomSleep: 384, .roomEvent: 392, .frameWake: 512,
        .roomWake: 640, .sendingEnded: 768, .receivingEnded: 776,
      ])
    #expect(RingLayout.framesOffset == max(4096, Segment.pageByteCount))
    #expect(RingLayout.frameByteCount(0) == 64)
    #expect(RingLayout.frameByteCount(56) == 64)
    #expect(RingLayout.frameByteCount(57) == 128)
    #expect(RingLayout.header(0) == 1)
  }

  @Test("accepts of a peer's producer cursor exactly what can be, whatever it is")
  func forgedProducer() {
    var random = SeededGenerator(seed: 21)
    for _ in 0..<100_000 {
      let capacity = 1 << Int.random(in: 12...20, using: &random)
      var cursor = ConsumerCursor(capacity: capacity)
      cursor.consume(Int.random(in: 0...capacity / 16, using: &random) * 64)
      let consumed = cursor.consumed
      let forged = random.hostileWord(near: consumed + UInt64(Int.random(in: 0...1, using: &random) * capacity))
      let isPossible = forged >= consumed && forged <= consumed + UInt64(capacity)
      #expect(((try? cursor.giveBack(published: forged)) != nil) == isPossible, "\(forged)")
    }
  }

  @Test("accepts of a peer's consumer cursor exactly what can be, whatever it is")
  func forgedConsumer() {
    var random = SeededGenerator(seed: 22)
    for _ in 0..<100_000 {
      let capacity = 1 << Int.random(in: 12...20, using: &random)
      var cursor = ProducerCursor(capacity: capacity)
      var sent: UInt64 = 0
      for _ in 0..<3 {
        sent = cursor.publish(Int.random(in: 0...cursor.room / 64, using: &random) * 64)
        guard (try? cursor.confirm(sent / 128 * 64)) != nil else {
          Issue.record("honest cursor refused")
          return
        }
      }
      let forged = random.hostileWord(near: sent)
      let isPossible = forged % 64 == 0 && forged >= cursor.confirmed && forged <= sent
      #expect(((try? cursor.confirm(forged)) != nil) == isPossible, "\(forged)")
      #expect((-64...capacity).contains(cursor.room))
    }
  }

  @Test("accepts a frame's length only within the limit")
  func forgedLength() throws {
    var random = SeededGenerator(seed: 23)
    let cursor = ConsumerCursor(capacity: 4096)
    for _ in 0..<100_000 {
      let limit = Int.random(in: 1...RingLayout.maxBlobSize(capacity: 4096), using: &random)
      let header = random.hostileWord(near: UInt64(limit))
      let isPossible = header > 0 && header - 1 <= UInt64(limit)
      #expect(((try? cursor.blobByteCount(header, limit: limit)) != nil) == isPossible, "\(header)")
    }
  }

  @Test("gives room back in eighths, so that whoever lacks room finds some")
  func givingBack() throws {
    var consumer = ConsumerCursor(capacity: 4096)
    var producer = ProducerCursor(capacity: 4096)
    var random = SeededGenerator(seed: 24)
    var frames: [Int] = []
    var publications = 0
    for _ in 0..<10_000 {
      let frame = RingLayout.frameByteCount(.random(in: 0...RingLayout.maxBlobSize(capacity: 4096), using: &random))
      while producer.room < frame {
        // All that is published is consumed; then there must be room.
        try #require(!frames.isEmpty, "no room though the ring is empty")
        consumer.consume(frames.removeFirst())
        if consumer.isDue {
          publications += 1
          try producer.confirm(try consumer.giveBack(published: producer.sent))
        }
      }
      _ = producer.publish(frame)
      frames.append(frame)
      // The header behind the frames is in none of them.
      #expect(producer.sent + 64 - producer.confirmed <= 4096)
    }
    #expect(publications < 10_000)
  }
}

extension SeededGenerator {
  /// A word that a hostile peer might write: around what is right, around the ends of the range, or anything at all.
  mutating func hostileWord(near right: UInt64) -> UInt64 {
    switch Int.random(in: 0...4, using: &self) {
    case 0: right &+ UInt64(bitPattern: Int64.random(in: -64...64, using: &self))
    case 1: right &+ UInt64(bitPattern: Int64.random(in: -1024...1024, using: &self) * 64)
    case 2: UInt64.max &- UInt64.random(in: 0...64, using: &self)
    case 3: 1 << UInt64.random(in: 0..<64, using: &self)
    default: next()
    }
  }
}
