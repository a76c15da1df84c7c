/// The hash that names the content of a chunk: XXH64 with seed 0, as its specification defines it
/// (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md). Four independent lanes take 32 bytes a step, so it
/// runs at about the speed of memory. It guards against mistakes, not against forgers.
enum ContentHash {
  private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
  private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
  private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
  private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

  /// The hash of the bytes. Cost: one pass.
  static func hash(of bytes: RawSpan) -> UInt64 {
    let count = bytes.byteCount
    var offset = 0
    var hash: UInt64

    if count >= 32 {
      var lane1 = prime1 &+ prime2
      var lane2 = prime2
      var lane3: UInt64 = 0
      var lane4 = 0 &- prime1
      while offset <= count - 32 {
        lane1 = round(lane1, word(bytes, at: offset))
        lane2 = round(lane2, word(bytes, at: offset + 8))
        lane3 = round(lane3, word(bytes, at: offset + 16))
        lane4 = round(lane4, word(bytes, at: offset + 24))
        offset += 32
      }
      hash = rotated(lane1, 1) &+ rotated(lane2, 7) &+ rotated(lane3, 12) &+ rotated(lane4, 18)
      for lane in [lane1, lane2, lane3, lane4] {
        hash = (hash ^ round(0, lane)) &* prime1 &+ prime4
      }
    } else {
      hash = prime5
    }

    hash &+= UInt64(count)
    while offset <= count - 8 {
      hash = rotated(hash ^ round(0, word(bytes, at: offset)), 27) &* prime1 &+ prime4
      offset += 8
    }
    if offset <= count - 4 {
      // The span holds four bytes from here: the condition above says so.
      let half = unsafe UInt32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
      hash = rotated(hash ^ (UInt64(half) &* prime1), 23) &* prime2 &+ prime3
      offset += 4
    }
    while offset < count {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
      hash = rotated(hash ^ (UInt64(byte) &* prime5), 11) &* prime1
      offset += 1
    }

    hash = (hash ^ (hash >> 33)) &* prime2
    hash = (hash ^ (hash >> 29)) &* prime3
    return hash ^ (hash >> 32)
  }

  @inline(__always)
  private static func word(_ bytes: RawSpan, at offset: Int) -> UInt64 {
    // The load checks its bounds; any bit pattern is a number.
    unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  @inline(__always)
  private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
    rotated(lane &+ input &* prime2, 31) &* prime1
  }

  @inline(__always)
  private static func rotated(_ value: UInt64, _ count: UInt64) -> UInt64 {
    (value << count) | (value >> (64 - count))
  }
}
