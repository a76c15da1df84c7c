import Glibc
import SystemPackage

/// Why a message queue could not be made or opened.
public enum MessageQueueError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A name is a slash and up to `byteCountLimit` bytes without one.
  case invalidName(String, byteCountLimit: Int)
  /// There is a queue of that name, perhaps another program's. Take another name.
  case nameTaken(String)
  /// There is no queue of that name.
  case noSuchQueue(String)
  /// This user may not open the queue so.
  case accessDenied(String)
  /// A queue has at least one message of one byte, and no more than the kernel allows: `fs.mqueue.msg_max` messages of
  /// `fs.mqueue.msgsize_max` bytes (nil when unknown), which the administrator can raise.
  case sizeOutOfBounds(capacity: Int, messageByteCount: Int, capacityLimit: Int?, messageByteCountLimit: Int?)
  /// The queues of this user would take more memory than allowed (`RLIMIT_MSGQUEUE`). Remove some, make smaller ones, or
  /// raise the limit. `byteCount` is what the messages of this one take; the kernel adds its own books.
  case queueMemoryExhausted(byteCount: Int, limit: Int)
  /// There are as many queues as the system allows (`fs.mqueue.queues_max`, nil when unknown).
  case tooManyQueues(limit: Int?)
  /// This process's descriptor table is full (`RLIMIT_NOFILE`). Close descriptors, or raise the limit.
  case descriptorTableFull(limit: Int)
  /// The queue's entry in the journal could not be made, or is held by another owner.
  case journal(FileLockError)
  /// A system call failed in a way that nothing above foresees.
  case failed(SystemError)

  /// What went wrong, with the limit that was met.
  public var description: String {
    switch self {
    case .invalidName(let name, let limit): "“\(name)” is no queue's name: a slash, and 1 to \(limit) bytes without one"
    case .nameTaken(let name): "there is a queue \(name) already"
    case .noSuchQueue(let name): "there is no queue \(name)"
    case .accessDenied(let name): "this user may not open the queue \(name)"
    case .sizeOutOfBounds(let capacity, let byteCount, let capacityLimit, let byteCountLimit):
      "a queue of \(capacity) messages of \(byteCount) bytes is not allowed (fs.mqueue.msg_max is "
        + "\(Self.text(capacityLimit)), fs.mqueue.msgsize_max is \(Self.text(byteCountLimit)))"
    case .queueMemoryExhausted(let byteCount, let limit):
      "no memory for a queue of \(byteCount) bytes (RLIMIT_MSGQUEUE is \(limit) for all queues of this user)"
    case .tooManyQueues(let limit): "too many queues (fs.mqueue.queues_max is \(Self.text(limit)))"
    case .descriptorTableFull(let limit): "descriptor table full (RLIMIT_NOFILE is \(limit))"
    case .journal(let error): "the queue's journal entry: \(error)"
    case .failed(let error): "\(error)"
    }
  }

  private static func text(_ limit: Int?) -> String { limit.map { "\($0)" } ?? "unknown" }

  /// What a failed `mq_open` means; `capacity` is 0 when no queue was to be made.
  init(opening name: String, negated result: CInt, capacity: Int, messageByteCount: Int) {
    let errno = Errno(rawValue: -result)
    self =
      switch errno {
      case .fileExists: .nameTaken(name)
      case .noSuchFileOrDirectory: .noSuchQueue(name)
      case .permissionDenied, .notPermitted: .accessDenied(name)
      case .noSpace: .tooManyQueues(limit: ResourceLimit.messageQueues)
      case .tooManyOpenFiles:
        // The kernel has one answer for two limits; whether another descriptor can be had tells which one it is.
        if (try? EventCounter()) == nil {
          .descriptorTableFull(limit: ResourceLimit.openDescriptors)
        } else {
          .queueMemoryExhausted(
            byteCount: capacity.multipliedReportingOverflow(by: messageByteCount).partialValue,
            limit: ResourceLimit.messageQueueBytes)
        }
      case .invalidArgument where (capacity, messageByteCount) != (0, 0), Errno(rawValue: EOVERFLOW):
        .sizeOutOfBounds(
          capacity: capacity, messageByteCount: messageByteCount,
          capacityLimit: ResourceLimit.messagesPerQueue, messageByteCountLimit: ResourceLimit.queueMessageBytes)
      default: .failed(SystemError(operation: "mq_open", errno: errno, detail: name))
      }
  }
}
