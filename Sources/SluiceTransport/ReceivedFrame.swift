import SluiceSystem

/// A frame that was received and copied out: for callers that keep it. `Transport.tryReceive` spares the copy.
public struct ReceivedFrame: Sendable {
  /// The blob.
  public let bytes: [UInt8]
  /// The handles that came with it.
  public let handles: [Handle]

  /// Copies a frame.
  public init(_ blob: RawSpan, _ handles: [Handle]) {
    // Sound: the span outlives the closure, which only reads.
    bytes = unsafe blob.withUnsafeBytes { unsafe Array($0) }
    self.handles = handles
  }
}
