import Synchronization

#if _endian(big)
  #error("The Cap'n Proto runtime loads and stores words in place, which needs a little-endian processor.")
#endif

/// What a pointer points to, as its two lowest bits encode it.
public enum PointerKind: UInt8, Sendable, Hashable {
  /// A struct.
  case structure = 0
  /// A list, text or blob.
  case list = 1
  /// An object in another segment.
  case far = 2
  /// A capability, or something that this version of the format does not know.
  case other = 3
}

/// The value of a pointer word, loaded once. All decisions are taken on the loaded value, since the memory may change.
///
/// | bits | struct | list | far |
/// |---|---|---|---|
/// | 0–1 | 0 | 1 | 2 |
/// | 2–31 | offset (signed) | offset (signed) | 2: double; 3–31: word of the landing pad |
/// | 32–63 | 32–47 data words, 48–63 pointers | 32–34 element size, 35–63 count | segment |
///
/// In the tag of a struct list, which looks like a struct pointer, bits 2–31 count the elements.
@usableFromInline
struct WirePointer: Equatable {
  @usableFromInline let bits: UInt64

  @inlinable @inline(__always)
  init(bits: UInt64) { self.bits = bits }

  /// The word at `location`, loaded once and whole.
  ///
  /// - Safety: `location` is an aligned word within a segment.
  @inlinable @inline(__always)
  init(loading location: UnsafeRawPointer) {
    // A relaxed atomic load is a plain load that the compiler may neither split nor repeat.
    bits = unsafe location.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .relaxed)
  }

  @inlinable
  static func structure(offset: Int, size: StructSize) -> WirePointer {
    WirePointer(
      bits: UInt64(UInt32(truncatingIfNeeded: offset &<< 2)) | UInt64(size.dataWords) &<< 32
        | UInt64(size.pointers) &<< 48)
  }

  @inlinable
  static func list(offset: Int, elementSize: ElementSize, count: Int) -> WirePointer {
    WirePointer(
      bits: UInt64(UInt32(truncatingIfNeeded: offset &<< 2) | 1) | UInt64(elementSize.rawValue) &<< 32
        | UInt64(truncatingIfNeeded: count) &<< 35)
  }

  @inlinable
  static func far(segment: UInt32, wordOffset: Int, isDouble: Bool) -> WirePointer {
    WirePointer(
      bits: UInt64(UInt32(truncatingIfNeeded: wordOffset &<< 3) | (isDouble ? 6 : 2)) | UInt64(segment) &<< 32)
  }

  /// The same pointer with another offset: the tag of an object that moved.
  @inlinable
  func withOffset(_ offset: Int) -> WirePointer {
    WirePointer(bits: bits & 0xFFFF_FFFF_0000_0003 | UInt64(UInt32(truncatingIfNeeded: offset &<< 2)))
  }

  @inlinable @inline(__always)
  var isNull: Bool { bits == 0 }

  @inlinable @inline(__always)
  var kind: PointerKind {
    switch bits & 3 {
    case 0: .structure
    case 1: .list
    case 2: .far
    default: .other
    }
  }

  /// Words from the end of the pointer to the object.
  @inlinable @inline(__always)
  var offset: Int { Int(Int32(truncatingIfNeeded: bits) &>> 2) }

  @inlinable @inline(__always)
  var structSize: StructSize {
    StructSize(dataWords: UInt16(truncatingIfNeeded: bits &>> 32), pointers: UInt16(truncatingIfNeeded: bits &>> 48))
  }

  @inlinable @inline(__always)
  var elementSize: ElementSize {
    switch (bits &>> 32) & 7 {
    case 0: .void
    case 1: .bit
    case 2: .byte
    case 3: .twoBytes
    case 4: .fourBytes
    case 5: .eightBytes
    case 6: .pointer
    default: .composite
    }
  }

  /// A list's elements; for a struct list its words, without the tag.
  @inlinable @inline(__always)
  var listCount: Int { Int(truncatingIfNeeded: bits &>> 35) }

  /// In a struct list's tag: how many elements follow.
  @inlinable @inline(__always)
  var tagElementCount: Int { Int(UInt32(truncatingIfNeeded: bits) &>> 2) }

  @inlinable
  var isDoubleFar: Bool { bits & 4 != 0 }

  /// A far pointer's landing pad, in words from the start of ``farSegment``.
  @inlinable
  var farWordOffset: Int { Int(UInt32(truncatingIfNeeded: bits) &>> 3) }

  @inlinable
  var farSegment: UInt32 { UInt32(truncatingIfNeeded: bits &>> 32) }

  /// The most elements of a list, bytes of a blob, or words of a struct list, that a pointer can express.
  @inlinable
  static var maximumListCount: Int { (1 << 29) - 1 }

  /// The most words of a segment, so that offsets within it and far pointers into it can be expressed.
  @inlinable
  static var maximumSegmentWords: Int { (1 << 29) - 1 }
}
