/// A copy of what a pointer leads to, with all that it owns, and with the memory for it: a value that does not need the
/// message that it came from. It never changes.
@safe
public final class OwnedPointer: @unchecked Sendable {
  // Sound as Sendable: nobody writes to the message after it was made.
  private let message: UnsafeMutablePointer<MessageRecord>

  /// A copy of what `source` leads to; null if `source` is.
  ///
  /// - Throws: What is wrong with `source`, a limit that was met in reading it, or `allocationFailed`.
  public init(copying source: AnyPointerReader) throws(CapnProtoError) {
    let allocator = HeapSegmentAllocator(firstSegmentByteCount: 64)
    let message = unsafe try MessageRecord.allocateForBuilding(allocator: allocator, minimumWords: 1)
    unsafe SegmentTable(message: message).rootPointer.copy(from: source.view)
    if let failure = unsafe message.pointee.builder?.pointee.failure {
      unsafe MessageRecord.deallocateAfterBuilding(message)
      throw failure
    }
    unsafe self.message = message
  }

  /// A null pointer.
  public static let null = OwnedPointer()

  private init() {
    // Sound: as for copies; the memory for a word is allocated or the program ends.
    do {
      unsafe message = try MessageRecord.allocateForBuilding(allocator: HeapSegmentAllocator(), minimumWords: 1)
    } catch {
      preconditionFailure("A heap segment of one word could not be allocated: \(error)")
    }
  }

  deinit {
    // Sound: no reader of the value outlives it; the compiler sees to that.
    unsafe MessageRecord.deallocateAfterBuilding(message)
  }

  /// The pointer to the copy.
  public var pointer: AnyPointerReader {
    @_lifetime(borrow self) get {
      unsafe _overrideLifetime(
        AnyPointerReader(unowned: SegmentTable(message: message).rootPointer), borrowing: self)
    }
  }

  /// The pointer to the copy, for code whose values are tied to something that keeps this object: the caller ties the pointer
  /// to that.
  @unsafe
  public var unownedPointer: AnyPointerReader {
    @_lifetime(immortal) get { unsafe AnyPointerReader(unowned: SegmentTable(message: message).rootPointer) }
  }
}
