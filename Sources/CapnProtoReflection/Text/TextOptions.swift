/// How the text form is printed, and what it may cost.
public struct TextOptions: Sendable, Hashable {
  /// Whether values that are long are broken into indented lines, as `capnp decode` does; otherwise all is in one line, as
  /// `capnp decode --short` does it.
  public var isPretty: Bool
  /// How many structs and lists may be nested, groups included.
  public var nesting: Int
  /// How many bytes the text may have.
  public var byteLimit: Int

  /// Options for printing and parsing.
  public init(isPretty: Bool = false, nesting: Int = 64, byteLimit: Int = 256 << 20) {
    self.isPretty = isPretty
    self.nesting = nesting
    self.byteLimit = byteLimit
  }
}
