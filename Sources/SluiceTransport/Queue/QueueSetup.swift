import SluiceSystem
import SystemPackage

/// Why a queue transport could not be set up.
public enum QueueSetupError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The queue could not be made; names the limit that was met.
  case queue(MessageQueueError)
  /// Blobs have at least one byte, and at most 1 GiB.
  case invalidMaxBlobSize(Int, limit: Int)
  /// Messages have room for a header and 8 bytes, so at least 16 bytes.
  case messagesTooSmall(byteCount: Int, least: Int)
  /// The peer has sent another number of handles than an endpoint has.
  case wrongHandleCount(Int, expected: Int)
  /// What the peer sent as its queue is none, or cannot be sent to.
  case notAQueue(SystemError)
  /// The status page could not be made, or the peer's was refused.
  case segment(SegmentError)
  /// There is no descriptor or no memory for it.
  case failed(SystemError)

  /// What is wrong, with the limit that was met.
  public var description: String {
    switch self {
    case .queue(let error): "\(error)"
    case .invalidMaxBlobSize(let size, let limit): "blobs of \(size) bytes are not possible: 1 to \(limit)"
    case .messagesTooSmall(let byteCount, let least): "messages of \(byteCount) bytes: at least \(least) are needed"
    case .wrongHandleCount(let count, let expected): "\(count) handles came for a queue transport, not \(expected)"
    case .notAQueue(let error): "the peer's handle is no queue to send to: \(error)"
    case .segment(let error): "\(error)"
    case .failed(let error): "\(error)"
    }
  }
}

/// How large the queue is that a side receives from.
public struct QueueSize: Sendable, Hashable {
  /// How many messages it holds.
  public var capacity: Int
  /// How many bytes a message has, at least 16. Eight are the header's; a frame takes as many messages as its blob needs.
  public var messageByteCount: Int

  /// Ten messages of 1,024 bytes: what an unprivileged user may have, and so little of `RLIMIT_MSGQUEUE` (800 KiB for all
  /// of a user's queues) that there can be about 70 of them.
  public static let `default` = QueueSize(capacity: 10, messageByteCount: 1024)

  /// Says a size; it is checked when the queue is made.
  public init(capacity: Int, messageByteCount: Int) {
    self.capacity = capacity
    self.messageByteCount = messageByteCount
  }

  static let leastMessageByteCount = 16
}

/// What a side says of its half of a queue transport, for the handshake. What a peer says is checked.
public struct QueueAnnouncement: Sendable, Hashable {
  /// How many bytes it lets a blob have. The smaller limit of the two sides holds.
  public var maxBlobSize: Int

  /// Says what a peer has said.
  public init(maxBlobSize: Int) {
    self.maxBlobSize = maxBlobSize
  }

  func check() throws(QueueSetupError) {
    guard (1...FrameHeader.maxBlobByteCount).contains(maxBlobSize) else {
      throw .invalidMaxBlobSize(maxBlobSize, limit: FrameHeader.maxBlobByteCount)
    }
  }
}

/// The queue that a side receives from: its own receiving end, and the sending end for the peer. The name is gone already.
struct QueueInbox: Sendable {
  let receiving: MessageQueue
  let sending: MessageQueue

  /// - Parameter journal: Where the name stands while there is one; see ``JournaledQueue``.
  init(_ size: QueueSize, journal: FilePath?) throws(QueueSetupError) {
    guard size.messageByteCount >= QueueSize.leastMessageByteCount else {
      throw .messagesTooSmall(byteCount: size.messageByteCount, least: QueueSize.leastMessageByteCount)
    }
    do throws(MessageQueueError) {
      let name = MessageQueue.unguessableName()
      // Nobody but root may open it for receiving. The two ends are open files of their own: what the peer does to its
      // end does not touch ours.
      let permissions = FilePermissions.ownerWrite
      if let journal {
        let queue = try JournaledQueue(
          name, capacity: size.capacity, maxMessageByteCount: size.messageByteCount, permissions: permissions,
          access: .receiving, journal: journal)
        sending = try MessageQueue.open(name, access: .sending)
        receiving = queue.queue
        try queue.remove()
      } else {
        receiving = try MessageQueue.create(
          name, capacity: size.capacity, maxMessageByteCount: size.messageByteCount, permissions: permissions,
          access: .receiving)
        defer { _ = try? MessageQueue.unlink(name) }
        sending = try MessageQueue.open(name, access: .sending)
      }
    } catch {
      throw .queue(error)
    }
  }
}

extension MessageQueue {
  /// Uses what a peer says is the sending end of a queue.
  static func sendingEnd(checking handle: Handle) throws(QueueSetupError) -> MessageQueue {
    let queue: MessageQueue
    do {
      queue = try MessageQueue(handle)
      guard try queue.canSend else {
        throw SystemError(operation: "mq_timedsend", errno: .badFileDescriptor, detail: "opened for receiving")
      }
    } catch let error as SystemError {
      throw .notAQueue(error)
    } catch {
      throw .notAQueue(SystemError(operation: "mq_getattr", errno: .badFileDescriptor))
    }
    guard queue.maxMessageByteCount >= QueueSize.leastMessageByteCount else {
      throw .messagesTooSmall(byteCount: queue.maxMessageByteCount, least: QueueSize.leastMessageByteCount)
    }
    return queue
  }
}
