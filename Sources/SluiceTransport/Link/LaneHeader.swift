/// The first bytes of every frame on a link: which lane it belongs to, and whether it costs a credit.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 4 | lane, little-endian |
/// | 4 | 1 | kind: see ``Kind`` |
/// | 5 | 3 | zero |
///
/// The rest of the frame is the lane's: an envelope, or for ``Kind/grant`` four bytes, the
/// credits granted, or for ``Kind/close``, ``Kind/probe`` and ``Kind/answer`` nothing.
public struct LaneHeader: Sendable, Hashable {
  /// What a frame does to its lane.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// A message that its receiver must take from a queue. It costs one credit.
    case charged = 1
    /// A message that somebody already waits for. It is free: waiters bound its number.
    case free = 2
    /// Gives the sender of charged frames more credits.
    case grant = 3
    /// The sender neither sends nor takes anything on this lane any more. Not answered.
    case close = 4
    /// Asks whether the other end receives what was sent before. On lane 0, which is no channel's.
    case probe = 5
    /// The answer to a probe: one for those that have arrived. On lane 0.
    case answer = 6
  }

  /// Size of the header on the wire.
  public static let byteCount = 8
  /// Size of a whole ``Kind/grant`` frame.
  public static let grantByteCount = 12

  /// The lane that the frame belongs to.
  public var lane: UInt32
  /// What the frame does to its lane.
  public var kind: Kind

  /// A header of the given fields.
  public init(lane: UInt32, kind: Kind) {
    self.lane = lane
    self.kind = kind
  }

  /// Decodes the first bytes of `frame`; nil when they are too few, of no known kind, or not zero where they must be.
  public init?(_ frame: RawSpan) {
    guard frame.byteCount >= Self.byteCount else { return nil }
    guard let kind = Kind(rawValue: frame.littleEndian(UInt8.self, at: 4)) else { return nil }
    let reserved = frame.littleEndian(UInt32.self, at: 4) >> 8
    guard reserved == 0 else { return nil }
    self.init(lane: frame.littleEndian(UInt32.self, at: 0), kind: kind)
  }

  /// Writes the header to the first bytes of `frame`, which must hold at least ``byteCount``.
  public func encode(into frame: inout MutableRawSpan) {
    frame.storeLittleEndian(lane, at: 0)
    frame.storeLittleEndian(UInt32(kind.rawValue), at: 4)
  }
}
