/// SipHash-1-3 (Aumasson and Bernstein): a hash that depends on a key of 128 bits, so that nobody who does not know the key
/// can choose texts that collide. The same in every process, unlike `Hasher`.
@usableFromInline
struct KeyedHash {
  @usableFromInline var v0: UInt64
  @usableFromInline var v1: UInt64
  @usableFromInline var v2: UInt64
  @usableFromInline var v3: UInt64

  @inlinable
  init(_ k0: UInt64, _ k1: UInt64) {
    v0 = k0 ^ 0x736f_6d65_7073_6575
    v1 = k1 ^ 0x646f_7261_6e64_6f6d
    v2 = k0 ^ 0x6c79_6765_6e65_7261
    v3 = k1 ^ 0x7465_6462_7974_6573
  }

  @inlinable @inline(__always)
  mutating func round() {
    v0 &+= v1
    v1 = (v1 &<< 13 | v1 &>> 51) ^ v0
    v0 = v0 &<< 32 | v0 &>> 32
    v2 &+= v3
    v3 = (v3 &<< 16 | v3 &>> 48) ^ v2
    v0 &+= v3
    v3 = (v3 &<< 21 | v3 &>> 43) ^ v0
    v2 &+= v1
    v1 = (v1 &<< 17 | v1 &>> 47) ^ v2
    v2 = v2 &<< 32 | v2 &>> 32
  }

  @inlinable @inline(__always)
  mutating func absorb(_ word: UInt64) {
    v3 ^= word
    round()
    v0 ^= word
  }

  /// The hash of `bytes`.
  @inlinable
  consuming func of(_ bytes: RawSpan) -> UInt64 {
    let count = bytes.byteCount
    let whole = count & ~7
    var position = 0
    while position < whole {
      // Sound: within the span, as the loop's bound says; any bits are an integer.
      absorb(UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt64.self)))
      position &+= 8
    }
    var last = UInt64(truncatingIfNeeded: count) &<< 56
    var shift: UInt64 = 0
    while position < count {
      // Sound: as above.
      last |= UInt64(unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt8.self)) &<< shift
      position &+= 1
      shift &+= 8
    }
    absorb(last)
    v2 ^= 0xff
    round()
    round()
    round()
    return v0 ^ v1 ^ v2 ^ v3
  }
}
