import SluiceMemory

/// Where the parts of a received message stand, in their order. One or two, as most messages have, cost no allocation.
///
/// Moved, never copied, as each copy counts references; and not a list of any elements, as what is generic is moved by way of
/// its type's descriptions.
struct BorrowedParts: ~Copyable, Sendable {
  private var first: BorrowedBytes?
  private var second: BorrowedBytes?
  /// The third and later ones. Nil for none: to drop an empty array costs a call.
  private var others: [BorrowedBytes]?
  private(set) var count = 0
  /// Their length together.
  private(set) var byteCount = 0

  /// No parts yet, but room for so many.
  init(minimumCapacity count: Int = 0) {
    guard count > 2 else { return }
    others = []
    others?.reserveCapacity(count - 2)
  }

  /// Adds a part at the end.
  mutating func append(_ part: consuming BorrowedBytes) {
    byteCount &+= unsafe part.bytes.count
    switch count {
    case 0: first = part
    case 1: second = part
    default: appendOther(part)
    }
    count += 1
  }

  @inline(never) private mutating func appendOther(_ part: consuming BorrowedBytes) {
    if others == nil { others = [part] } else { others?.append(part) }
  }

  /// Calls `body` with each part's bytes, without counting references. They are valid as long as these parts are kept.
  @inline(__always)
  func forEachBytes(_ body: (Int, UnsafeRawBufferPointer) -> Void) {
    if let bytes = unsafe first?.bytes { unsafe body(0, bytes) }
    if let bytes = unsafe second?.bytes { unsafe body(1, bytes) }
    switch others {
    case let others?: for index in others.indices { unsafe body(index + 2, others[index].bytes) }
    case nil: break
    }
  }

  /// The parts, to keep. Costs an allocation.
  var all: [BorrowedBytes] { [first, second].compactMap(\.self) + (others ?? []) }
}
