/// A kind of transport. The library's own are listed here; a transport of a user's own may name its own kind.
public struct TransportKind: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  /// The name, for errors and statistics.
  public let rawValue: String

  /// Names a kind.
  public init(rawValue: String) { self.rawValue = rawValue }

  /// A Unix domain stream socket: blobs and handles.
  public static let socket = TransportKind(rawValue: "socket")
  /// A pair of POSIX message queues: blobs.
  public static let queue = TransportKind(rawValue: "queue")
  /// Two rings in shared memory: blobs.
  public static let ring = TransportKind(rawValue: "ring")
  /// Two bounded queues within one process: blobs and handles.
  public static let loopback = TransportKind(rawValue: "loopback")

  /// The name.
  public var description: String { rawValue }
}
