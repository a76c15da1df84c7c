/// A pointer value that the schema gives: the default of a struct, list or blob field, or a constant. Generated code holds
/// each in a `static let`; readers look at it in place, so it is never freed.
@safe
public struct EncodedValue: @unchecked Sendable {
  // Sound as Sendable: what it points to never changes, but for the traversal counter, which is atomic.
  @usableFromInline let root: PointerView

  /// The value that `words` encode: a message of one segment without its framing, whose first word is the pointer to the
  /// value. The words come from the schema compiler; malformed ones make reading the field throw.
  public init(words: [UInt64]) {
    let count = max(words.count, 1)
    // Sound: the memory is exclusively ours, is initialised here, and lives for ever.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count &* 8, alignment: 8)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    unsafe words.withUnsafeBytes { unsafe memory.copyMemory(from: $0) }
    let segments = unsafe withUnsafePointer(to: UnsafeRawBufferPointer(memory)) { memory in
      unsafe SegmentTable.allocate(
        segments: UnsafeBufferPointer(start: memory, count: 1), traversalLimit: .max, nestingLimit: Int(Int32.max))
    }
    root = segments.rootPointer
  }
}
