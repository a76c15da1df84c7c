import SluiceSystem

/// A frame that was received and copied out: for callers that keep it. `Transport.tryReceive` spares the copy.
public struct ReceivedFrame: Sendable {
  /// The blob.
  public let bytes: [UInt8]
  /// The handles that came with it.
  public let handles: [Handle]

  /// Copies a frame.
  public init(_ blob: RawSpan, _ handles: [Handle]) {
    bytes = blob.copied()
    self.handles = handles
  }
}
