import CapnProto
import SluiceSystem

/// A received message, read where its sender built it.
///
/// A value over shared state: copies are cheap and stand for the same message. The memory goes back to its sender when the
/// last copy goes. It stays readable after its session has ended. Any thread may read it; its sender could still be
/// writing to it, so a value may change between two reads, but no read leaves the message.
public struct Message<Root: StructSchema>: Sendable {
  @usableFromInline let content: MessageContent

  @inlinable init(content: MessageContent) { self.content = content }

  /// The root of the message. The reader cannot outlive this value: that does not compile.
  ///
  /// - Throws: `CapnProtoError` when the message's first pointer is not one to a struct inside of the message.
  @inlinable public var root: Root.Reader {
    @_lifetime(borrow self)
    get throws(CapnProtoError) {
      // Sound: the content, which this value keeps, keeps the memory.
      unsafe _overrideLifetime(try content.segments.unownedRoot(as: Root.self), borrowing: self)
    }
  }

  /// Reads the message in `body`. For a message in a stored property, and where ``root`` cannot be chained.
  @inlinable public func read<R, E: Error>(_ body: (Root.Reader) throws(E) -> R) throws -> R {
    try body(root)
  }

  /// Takes the handles that came with the message; they are taken once. Handles that nobody takes are closed with it.
  public func takeHandles() -> [Handle] {
    content.takeHandles()
  }

  /// Where the message stands in shared memory.
  public var placement: [SegmentPlacement] { content.placements }
}
