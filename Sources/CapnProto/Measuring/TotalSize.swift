/// What an object and all that it owns take in a message.
public struct TotalSize: Sendable, Hashable {
  /// Words of the objects: without pointers to them from outside, and without far pointers' landing pads.
  public var wordCount: Int
  /// Capability pointers among them.
  public var capabilityCount: Int

  /// A size of `wordCount` words with `capabilityCount` capabilities.
  public init(wordCount: Int, capabilityCount: Int) {
    self.wordCount = wordCount
    self.capabilityCount = capabilityCount
  }
}

extension RawStructReader {
  /// The size of the struct and all that it owns: what a copy of it takes, but for the pointer to it.
  ///
  /// - Throws: What is wrong with a pointer, or a limit that was met. Looking at an object costs as much as reading it.
  public func totalSize() throws(CapnProtoError) -> TotalSize {
    var meter = unsafe SizeMeter(budget: view.segment.pointee.message.pointee.wordBudget())
    meter.add(view)
    return try meter.finish()
  }
}

extension AnyPointerReader {
  /// The size of what the pointer leads to and all that it owns; nothing for a null pointer.
  ///
  /// - Throws: What is wrong with a pointer, or a limit that was met. Looking at an object costs as much as reading it.
  public func totalSize() throws(CapnProtoError) -> TotalSize {
    var meter = unsafe SizeMeter(budget: view.segment.pointee.message.pointee.wordBudget())
    meter.add(view)
    return try meter.finish()
  }
}

/// Sums up objects, without recursion.
private struct SizeMeter: ~Copyable {
  private var pending: [PointerView] = []
  private var size = TotalSize(wordCount: 0, capabilityCount: 0)
  private let budget: Int

  init(budget: Int) { self.budget = budget }

  mutating func add(_ pointer: PointerView) {
    if !pointer.isNull { pending.append(pointer) }
  }

  mutating func add(_ structure: StructView) {
    size.wordCount += structure.size.words
    addPointers(of: structure)
  }

  mutating func finish() throws(CapnProtoError) -> TotalSize {
    while let pointer = pending.popLast() {
      switch try pointer.content() {
      case .null: break
      case .structure(let structure): add(structure)
      case .list(let list): add(list)
      case .other: size.capabilityCount += 1
      }
      guard size.wordCount <= budget else { throw pointer.error(.traversalLimitExceeded(limitWords: budget)) }
    }
    return size
  }

  private mutating func addPointers(of structure: StructView) {
    for index in 0..<Int(structure.pointerCount) { add(structure.pointer(index)) }
  }

  private mutating func add(_ list: ListView) {
    size.wordCount += list.contentWords + (list.elementSize == .composite ? 1 : 0)
    guard list.pointerCount > 0 else { return }
    for index in 0..<Int(list.count) { addPointers(of: list.structure(index)) }
  }
}

/// What a pointer leads to, whatever it is.
enum PointerContent {
  case null
  case structure(StructView)
  case list(ListView)
  /// A capability, or what this version of the format does not know.
  case other(WirePointer)
}

extension PointerView {
  /// What the pointer leads to. The kind is taken from one load and checked by another, so that a pointer that changes
  /// meanwhile is an error at worst.
  func content() throws(CapnProtoError) -> PointerContent {
    let value = load()
    if value.isNull { return .null }
    let tag = value.kind == .far ? try resolve(value).tag : value
    switch tag.kind {
    case .structure:
      guard let structure = try structure() else { return .null }
      return .structure(structure)
    case .list:
      guard let list = try list(of: .void) else { return .null }
      return .list(list)
    case .other: return .other(tag)
    case .far: throw error(.invalidLandingPad)
    }
  }
}

extension ListView {
  /// Words of the elements, without a struct list's tag.
  var contentWords: Int { (Int(count) &* Int(stepBits) &+ 63) &>> 6 }
}
