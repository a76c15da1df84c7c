/// A list in a message that is being read. All elements lie within the segment.
@usableFromInline @safe
struct ListView {
  @usableFromInline let segment: UnsafePointer<SegmentRecord>
  @usableFromInline let start: UnsafeRawPointer
  @usableFromInline let count: UInt32
  /// Bits from one element to the next.
  @usableFromInline let stepBits: UInt32
  /// An element's data and pointers, whatever it is read as.
  @usableFromInline let dataBits: UInt32
  @usableFromInline let pointerCount: UInt16
  @usableFromInline let elementSize: ElementSize
  @usableFromInline let nesting: Int32

  @inlinable @inline(__always)
  init(
    segment: UnsafePointer<SegmentRecord>, start: UnsafeRawPointer, count: UInt32, stepBits: UInt32, dataBits: UInt32,
    pointerCount: UInt16, elementSize: ElementSize, nesting: Int32
  ) {
    unsafe self.segment = segment
    unsafe self.start = start
    self.count = count
    self.stepBits = stepBits
    self.dataBits = dataBits
    self.pointerCount = pointerCount
    self.elementSize = elementSize
    self.nesting = nesting
  }

  /// A list without elements, for null pointers.
  @inlinable
  init(emptyIn segment: UnsafePointer<SegmentRecord>, elementSize: ElementSize) {
    unsafe self.init(
      segment: segment, start: UnsafeRawPointer(segment.pointee.start), count: 0, stepBits: elementSize.stepBits,
      dataBits: elementSize.dataBits, pointerCount: elementSize.pointerCount, elementSize: elementSize, nesting: 0)
  }

  /// Traps unless `index` is one of the list's: a mistake of this program, never of a peer.
  @inlinable @inline(__always)
  func check(_ index: Int) {
    precondition(index >= 0 && index < Int(count), "List index out of range")
  }

  /// The bits of the element at `index`, which is in range; the list was found to have elements of that size at least.
  @inlinable @inline(__always)
  func load<Bits: FixedWidthInteger & BitwiseCopyable>(_ type: Bits.Type, at index: Int) -> Bits {
    // Sound: within the list. Steps that are no multiple of the element's size do not exist.
    unsafe start.load(fromByteOffset: index &* Int(stepBits &>> 3), as: Bits.self)
  }

  @inlinable @inline(__always)
  func loadBit(_ index: Int) -> Bool {
    let bit = index &* Int(stepBits)
    // Sound: within the list.
    return unsafe start.load(fromByteOffset: bit &>> 3, as: UInt8.self) &>> UInt8(bit & 7) & 1 != 0
  }

  /// The element at `index`, which is in range, as a struct.
  @inlinable @inline(__always)
  func structure(_ index: Int) -> StructView {
    // Sound: within the list. (Lists of bits are never read as structs.)
    unsafe StructView(
      segment: segment, data: start + index &* Int(stepBits &>> 3), dataBits: dataBits, pointerCount: pointerCount,
      nesting: nesting)
  }

  /// The (first) pointer of the element at `index`, which is in range; null where elements have none.
  @inlinable @inline(__always)
  func pointer(_ index: Int) -> PointerView { structure(index).pointer(0) }
}
