import CSluice
import Glibc
import SystemPackage

/// A POSIX message queue: messages of bounded size, the highest priority first, in order within one priority. On Linux it
/// is a descriptor, which can be polled and passed to other processes, also after its name was removed.
/// The corresponding C functions are those of `mq_overview`. Thread-safe, non-blocking, close-on-exec.
public final class MessageQueue: Sendable {
  /// The descriptor: readable when there is a message, writable when there is room.
  public let handle: Handle
  /// How many messages it holds.
  public let capacity: Int
  /// How many bytes a message may have.
  public let maxMessageByteCount: Int

  /// What a queue may be used for.
  public enum Access: Sendable, Hashable {
    /// Receiving only.
    case receiving
    /// Sending only.
    case sending
    /// Both.
    case duplex

    fileprivate var flags: CInt {
      switch self {
      case .receiving: O_RDONLY
      case .sending: O_WRONLY
      case .duplex: O_RDWR
      }
    }
  }

  /// Uses a queue that was opened already, perhaps by another process.
  ///
  /// - Throws: `EBADF` when the handle is no queue.
  public init(_ handle: Handle) throws(SystemError) {
    var (capacity, byteCount, queued): (CLong, CLong, CLong) = (0, 0, 0)
    // Sound: the call writes the three variables.
    try systemCall("mq_getattr") {
      unsafe sluice_mq_attributes(handle.rawValue, &capacity, &byteCount, &queued)
    }
    self.handle = handle
    self.capacity = capacity
    maxMessageByteCount = byteCount
  }

  /// Makes a queue that does not exist yet. The corresponding C call is `mq_open(O_CREAT | O_EXCL)`.
  ///
  /// - Parameters:
  ///   - name: A slash, then up to 254 bytes without one.
  ///   - permissions: Who may open it, less the umask.
  /// - Throws: `EEXIST`, and at limits of the kernel `EINVAL`, `EMFILE` or `ENOSPC`: the detail names them.
  public static func create(
    _ name: String, capacity: Int, maxMessageByteCount: Int, permissions: FilePermissions = .ownerReadWrite,
    access: Access = .duplex
  ) throws(SystemError) -> MessageQueue {
    try open(name, access.flags | O_CREAT | O_EXCL, permissions, capacity, maxMessageByteCount)
  }

  /// Opens a queue by name. The corresponding C function is `mq_open`.
  public static func open(_ name: String, access: Access = .duplex) throws(SystemError) -> MessageQueue {
    try open(name, access.flags, .ownerReadWrite, 0, 0)
  }

  private static func open(
    _ name: String, _ flags: CInt, _ permissions: FilePermissions, _ capacity: Int, _ byteCount: Int
  ) throws(SystemError) -> MessageQueue {
    // Sound: the name lives for the call.
    let result = unsafe name.withCString { name in
      retryingInterrupts { unsafe sluice_mq_open(name, flags, mode_t(permissions.rawValue), capacity, byteCount) }
    }
    guard result >= 0 else {
      let detail =
        switch Errno(rawValue: -result) {
        case .invalidArgument:
          "\(name): \(capacity) messages of \(byteCount) bytes (see fs.mqueue.msg_max and fs.mqueue.msgsize_max)"
        case .tooManyOpenFiles:
          "\(name): RLIMIT_MSGQUEUE is \(ResourceLimit.messageQueueBytes) bytes, RLIMIT_NOFILE is "
            + "\(ResourceLimit.openDescriptors)"
        case .noSpace: "\(name): see fs.mqueue.queues_max"
        default: name
        }
      throw SystemError(operation: "mq_open", negated: result, detail: detail)
    }
    return try MessageQueue(Handle(owning: FileDescriptor(rawValue: result)))
  }

  /// Removes a name; who has the queue open keeps it. The corresponding C function is `mq_unlink`.
  ///
  /// - Returns: Whether there was one.
  @discardableResult
  public static func unlink(_ name: String) throws(SystemError) -> Bool {
    // Sound: the name lives for the call.
    let result = unsafe name.withCString { name in retryingInterrupts { unsafe sluice_mq_unlink(name) } }
    if result == -Errno.noSuchFileOrDirectory.rawValue { return false }
    if result < 0 { throw SystemError(operation: "mq_unlink", negated: result, detail: name) }
    return true
  }

  /// Sends a message, if there is room. The corresponding C function is `mq_send`.
  ///
  /// - Parameters:
  ///   - message: At most `maxMessageByteCount` bytes.
  ///   - priority: 0 to 32,767.
  /// - Returns: Whether there was room.
  /// - Throws: `EMSGSIZE` when the message is too large.
  public func trySend(_ message: RawSpan, priority: UInt32 = 0) throws(SystemError) -> Bool {
    // Sound: the span outlives the call, which only reads.
    let result = unsafe message.withUnsafeBytes { bytes in
      retryingInterrupts { unsafe sluice_mq_send(handle.rawValue, bytes.baseAddress, bytes.count, priority) }
    }
    if result == -Errno.resourceTemporarilyUnavailable.rawValue { return false }
    if result < 0 {
      throw SystemError(
        operation: "mq_send", negated: result, detail: "\(message.byteCount) bytes, limit \(maxMessageByteCount)")
    }
    return true
  }

  /// Receives a message, if there is one. The corresponding C function is `mq_receive`.
  ///
  /// - Parameter body: Sees the message, in private memory.
  /// - Returns: Whether there was one.
  public func tryReceive(_ body: (_ message: RawSpan, _ priority: UInt32) -> Void) throws(SystemError) -> Bool {
    // Sound: the buffer has the size that the queue demands, and the call fills what its result says.
    let result = unsafe withUnsafeTemporaryAllocation(byteCount: maxMessageByteCount, alignment: 8) { buffer in
      var priority: UInt32 = 0
      let count = retryingInterrupts {
        unsafe sluice_mq_receive(handle.rawValue, buffer.baseAddress, buffer.count, &priority)
      }
      if count >= 0 {
        body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<count])), priority)
      }
      return count
    }
    if result == -Int(Errno.resourceTemporarilyUnavailable.rawValue) { return false }
    if result < 0 { throw SystemError(operation: "mq_receive", negated: result) }
    return true
  }
}
