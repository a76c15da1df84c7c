/// An integer of 8 to 64 bits in read-write memory that several processes change at once. It keeps its arena.
///
/// Loads acquire, stores release, changes do both. Threads: safe from any thread, and any process.
@safe
public struct SharedAtomic<Value: FixedWidthInteger & PlainBits>: @unchecked Sendable {
  // Sound as Sendable: all access is atomic, and the arena keeps the memory.
  let word: UnsafeMutableRawPointer
  let arena: ReadWriteArena

  /// - Parameter word: Aligned to the size of the value, and in the arena.
  @unsafe
  init(word: UnsafeMutableRawPointer, arena: ReadWriteArena) {
    unsafe self.word = unsafe word
    self.arena = arena
  }

  /// The value now.
  public func load() -> Value { unsafe Value(truncatingIfNeeded: AtomicWord.load(word, Value.bitWidth)) }

  /// Sets the value.
  public func store(_ value: Value) { unsafe AtomicWord.store(UInt64(truncatingIfNeeded: value), word, Value.bitWidth) }

  /// Sets the value, and gives the one before.
  public func exchange(_ value: Value) -> Value {
    unsafe Value(truncatingIfNeeded: AtomicWord.exchange(UInt64(truncatingIfNeeded: value), word, Value.bitWidth))
  }

  /// Sets the value to `desired` if it is `expected`. Whether it was, and what it was.
  public func compareExchange(expected: Value, desired: Value) -> (exchanged: Bool, original: Value) {
    let (exchanged, original) = unsafe AtomicWord.compareExchange(
      UInt64(truncatingIfNeeded: expected), UInt64(truncatingIfNeeded: desired), word, Value.bitWidth)
    return (exchanged, Value(truncatingIfNeeded: original))
  }

  /// Adds `operand`, wrapping around: the value after that.
  @discardableResult
  public func wrappingAdd(_ operand: Value) -> Value { change { $0 &+ operand } }

  /// Subtracts `operand`, wrapping around: the value after that.
  @discardableResult
  public func wrappingSubtract(_ operand: Value) -> Value { change { $0 &- operand } }

  /// Sets the value to what `body` makes of it, which is called again when another got in between: the value after that.
  @discardableResult
  public func change(_ body: (Value) -> Value) -> Value {
    var current = load()
    while true {
      let desired = body(current)
      let (exchanged, original) = compareExchange(expected: current, desired: desired)
      if exchanged { return desired }
      current = original
    }
  }
}
