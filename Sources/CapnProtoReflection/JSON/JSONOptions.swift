/// How messages become JSON and the other way round, and what it may cost.
public struct JSONOptions: Sendable, Hashable {
  /// Whether long arrays and objects are broken into indented lines; otherwise there is no white space.
  public var isPretty: Bool
  /// Which fields are written: those that are no null pointers, or those that do not have their default.
  public var hasMode: HasMode
  /// Whether a member of an object that no field is for is an error; otherwise it is ignored, so that what newer schemas
  /// wrote can be read.
  public var rejectsUnknownFields: Bool
  /// How many arrays and objects (and, when writing, structs and lists) may be nested.
  public var nesting: Int
  /// How many bytes the JSON text may have.
  public var byteLimit: Int

  /// Options for reading and writing.
  public init(
    isPretty: Bool = false, hasMode: HasMode = .nonNull, rejectsUnknownFields: Bool = false, nesting: Int = 64,
    byteLimit: Int = 64 << 20
  ) {
    self.isPretty = isPretty
    self.hasMode = hasMode
    self.rejectsUnknownFields = rejectsUnknownFields
    self.nesting = nesting
    self.byteLimit = byteLimit
  }
}
