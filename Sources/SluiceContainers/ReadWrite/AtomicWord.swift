import Synchronization

/// Atomic access to memory as an integer of 8, 16, 32 or 64 bits, aligned to its size and mapped: what `Synchronization` has
/// for each of these types on its own.
@unsafe
enum AtomicWord {
  static func load(_ word: UnsafeMutableRawPointer, _ bitWidth: Int) -> UInt64 {
    switch bitWidth {
    case 8: UInt64(unsafe pointer(word, UInt8.self).pointee.load(ordering: .acquiring))
    case 16: UInt64(unsafe pointer(word, UInt16.self).pointee.load(ordering: .acquiring))
    case 32: UInt64(unsafe pointer(word, UInt32.self).pointee.load(ordering: .acquiring))
    default: unsafe pointer(word, UInt64.self).pointee.load(ordering: .acquiring)
    }
  }

  static func store(_ value: UInt64, _ word: UnsafeMutableRawPointer, _ bitWidth: Int) {
    switch bitWidth {
    case 8: unsafe pointer(word, UInt8.self).pointee.store(UInt8(truncatingIfNeeded: value), ordering: .releasing)
    case 16: unsafe pointer(word, UInt16.self).pointee.store(UInt16(truncatingIfNeeded: value), ordering: .releasing)
    case 32: unsafe pointer(word, UInt32.self).pointee.store(UInt32(truncatingIfNeeded: value), ordering: .releasing)
    default: unsafe pointer(word, UInt64.self).pointee.store(value, ordering: .releasing)
    }
  }

  static func exchange(_ value: UInt64, _ word: UnsafeMutableRawPointer, _ bitWidth: Int) -> UInt64 {
    var current = unsafe load(word, bitWidth)
    while true {
      let (exchanged, original) = unsafe compareExchange(current, value, word, bitWidth)
      if exchanged { return original }
      current = original
    }
  }

  static func compareExchange(
    _ expected: UInt64, _ desired: UInt64, _ word: UnsafeMutableRawPointer, _ bitWidth: Int
  ) -> (exchanged: Bool, original: UInt64) {
    switch bitWidth {
    case 8:
      let (exchanged, original) = unsafe pointer(word, UInt8.self).pointee.compareExchange(
        expected: UInt8(truncatingIfNeeded: expected), desired: UInt8(truncatingIfNeeded: desired),
        ordering: .acquiringAndReleasing)
      return (exchanged, UInt64(original))
    case 16:
      let (exchanged, original) = unsafe pointer(word, UInt16.self).pointee.compareExchange(
        expected: UInt16(truncatingIfNeeded: expected), desired: UInt16(truncatingIfNeeded: desired),
        ordering: .acquiringAndReleasing)
      return (exchanged, UInt64(original))
    case 32:
      let (exchanged, original) = unsafe pointer(word, UInt32.self).pointee.compareExchange(
        expected: UInt32(truncatingIfNeeded: expected), desired: UInt32(truncatingIfNeeded: desired),
        ordering: .acquiringAndReleasing)
      return (exchanged, UInt64(original))
    default:
      return unsafe pointer(word, UInt64.self).pointee.compareExchange(
        expected: expected, desired: desired, ordering: .acquiringAndReleasing)
    }
  }

  private static func pointer<Value: AtomicRepresentable>(
    _ word: UnsafeMutableRawPointer, _ type: Value.Type
  ) -> UnsafeMutablePointer<Atomic<Value>> {
    unsafe word.assumingMemoryBound(to: Atomic<Value>.self)
  }
}
