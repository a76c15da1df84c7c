/// Words of messages with a `Tree` at their root whose pointers are forged. Their receiver is to meet a typed error, at bounded
/// cost.
///
/// The root pointer is word 0, and the root stands behind it: its number, and then three pointers.
public enum ForgedTree: String, CaseIterable, Sendable {
  /// Behind the segment, before it, and into a segment that there is not.
  case behind, before, farAway
  /// A struct that is its own next one.
  case loop
  /// Structs in structs, without a loop.
  case nest
  /// A list of more structs than there is room for in all memory, each of no size.
  case countless
  /// A list of many structs, each of which has this very list as its own.
  case amplify
  /// A list that is longer than its segment.
  case overlong
  /// Text that is not UTF-8, and does not end.
  case text

  /// How many words of zeros or of structs stand behind the root.
  private static let restWordCount = 400
  /// The size of a `Tree`: a word of data and three pointers.
  private static let treeSize: UInt64 = 1 << 32 | 3 << 48
  private static let treeWordCount = 4

  /// The words.
  public var words: [UInt64] {
    var words = [UInt64](repeating: 0, count: 1 + Self.treeWordCount + Self.restWordCount)
    words[0] = Self.structure(from: 0, to: 1)
    switch self {
    case .behind: words[2] = Self.structure(from: 2, to: 1 << 20)
    case .before: words[2] = Self.structure(from: 2, to: -100)
    case .farAway: words[2] = 2 | 7 << 32
    case .loop: words[2] = Self.structure(from: 2, to: 1)
    case .nest:
      for start in stride(from: 1, to: words.count - 2 * Self.treeWordCount, by: Self.treeWordCount) {
        words[start + 1] = Self.structure(from: start + 1, to: start + Self.treeWordCount)
      }
    case .countless:
      words[3] = Self.list(from: 3, to: 5, code: 7, count: 0)
      words[5] = (1 << 29 - 1) << 2
    case .amplify:
      let count = (Self.restWordCount - 1) / Self.treeWordCount
      words[3] = Self.list(from: 3, to: 5, code: 7, count: count * Self.treeWordCount)
      words[5] = UInt64(count) << 2 | Self.treeSize
      for index in 0..<count {
        let place = 6 + index * Self.treeWordCount + 2
        words[place] = Self.list(from: place, to: 5, code: 7, count: count * Self.treeWordCount)
      }
    case .overlong:
      words[3] = Self.list(from: 3, to: 5, code: 7, count: 1 << 20)
      words[5] = 1 << 20 | Self.treeSize
    case .text:
      words[4] = Self.list(from: 4, to: 5, code: 2, count: 8)
      words[5] = .max
    }
    return words
  }

  private static func offset(_ from: Int, _ to: Int) -> UInt64 {
    UInt64(UInt32(bitPattern: Int32(to - from - 1) << 2))
  }

  private static func structure(from: Int, to: Int) -> UInt64 { offset(from, to) | treeSize }

  private static func list(from: Int, to: Int, code: UInt64, count: Int) -> UInt64 {
    offset(from, to) | 1 | code << 32 | UInt64(count) << 35
  }
}
