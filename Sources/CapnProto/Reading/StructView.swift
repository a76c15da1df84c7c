/// A struct in a message that is being read. Both sections lie within the segment: data first, pointers right after.
///
/// An element of a list of primitives or pointers that is read as a struct is one too: `dataBits` then may be less than a
/// word, without pointers.
@usableFromInline @safe
struct StructView {
  @usableFromInline let segment: UnsafePointer<SegmentRecord>
  @usableFromInline let data: UnsafeRawPointer
  @usableFromInline let dataBits: UInt32
  @usableFromInline let pointerCount: UInt16
  @usableFromInline let nesting: Int32

  @inlinable @inline(__always)
  init(
    segment: UnsafePointer<SegmentRecord>, data: UnsafeRawPointer, dataBits: UInt32, pointerCount: UInt16,
    nesting: Int32
  ) {
    unsafe self.segment = segment
    unsafe self.data = data
    self.dataBits = dataBits
    self.pointerCount = pointerCount
    self.nesting = nesting
  }

  /// A struct without content, for null pointers: every field of it reads as its default.
  @inlinable @inline(__always)
  init(emptyIn segment: UnsafePointer<SegmentRecord>) {
    unsafe self.init(
      segment: segment, data: UnsafeRawPointer(segment.pointee.start), dataBits: 0, pointerCount: 0, nesting: 0)
  }

  /// The bits at `index`, counted in units of their own size; 0 behind the end of the data section.
  @inlinable @inline(__always)
  func load<Bits: FixedWidthInteger & BitwiseCopyable>(_ type: Bits.Type, at index: Int) -> Bits {
    guard (index &+ 1) &* Bits.bitWidth <= Int(dataBits) else { return 0 }
    // Sound: in the data section, and aligned, since sections are and elements are of their own size.
    return unsafe data.load(fromByteOffset: index &* (Bits.bitWidth &>> 3), as: Bits.self)
  }

  @inlinable @inline(__always)
  func loadBit(_ index: Int) -> Bool {
    guard index < Int(dataBits) else { return false }
    // Sound: in the data section.
    return unsafe data.load(fromByteOffset: index &>> 3, as: UInt8.self) &>> UInt8(index & 7) & 1 != 0
  }

  /// The pointer at `index`; one that reads as null behind the end of the pointer section.
  @inlinable @inline(__always)
  func pointer(_ index: Int) -> PointerView {
    // Sound: in the pointer section. (A struct with pointers has whole words of data.)
    unsafe PointerView(
      segment: segment,
      location: index < Int(pointerCount) ? data + (Int(dataBits) &>> 3 &+ index &* 8) : nil, nesting: nesting)
  }
}
