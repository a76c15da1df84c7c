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

  /// How many bytes a name may have after its slash.
  public static let nameByteCountLimit = 254

  /// A name that nobody can guess.
  public static func unguessableName() -> String {
    "/sluice-\(String(UInt64.random(in: 0 ... .max), radix: 36))\(String(UInt64.random(in: 0 ... .max), radix: 36))"
  }

  /// Whether the queue was opened for sending. The corresponding C call is `fcntl(F_GETFL)`.
  public var canSend: Bool {
    get throws(SystemError) {
      try systemCall("fcntl", "F_GETFL") { sluice_get_flags(handle.rawValue) } & O_ACCMODE != O_RDONLY
    }
  }

  /// Makes a queue that does not exist yet. The corresponding C call is `mq_open(O_CREAT | O_EXCL)`.
  ///
  /// - Parameters:
  ///   - name: A slash, then up to 254 bytes without one. It stays until `unlink`, also when this process dies:
  ///     ``JournaledQueue`` is for names that shall not.
  ///   - permissions: Who may open it, less the umask.
  public static func create(
    _ name: String, capacity: Int, maxMessageByteCount: Int, permissions: FilePermissions = .ownerReadWrite,
    access: Access = .duplex
  ) throws(MessageQueueError) -> MessageQueue {
    guard capacity > 0, maxMessageByteCount > 0 else {
      throw MessageQueueError.sizeOutOfBounds(
        capacity: capacity, messageByteCount: maxMessageByteCount, capacityLimit: ResourceLimit.messagesPerQueue,
        messageByteCountLimit: ResourceLimit.queueMessageBytes)
    }
    return try open(name, access.flags | O_CREAT | O_EXCL, permissions, capacity, maxMessageByteCount)
  }

  /// Opens a queue by name. The corresponding C function is `mq_open`.
  public static func open(_ name: String, access: Access = .duplex) throws(MessageQueueError) -> MessageQueue {
    try open(name, access.flags, .ownerReadWrite, 0, 0)
  }

  private static func open(
    _ name: String, _ flags: CInt, _ permissions: FilePermissions, _ capacity: Int, _ byteCount: Int
  ) throws(MessageQueueError) -> MessageQueue {
    let rest = name.utf8.dropFirst()
    guard name.utf8.first == UInt8(ascii: "/"), (1...nameByteCountLimit).contains(rest.count),
      !rest.contains(UInt8(ascii: "/")), !rest.contains(0)
    else { throw .invalidName(name, byteCountLimit: nameByteCountLimit) }
    // Sound: the name lives for the call.
    let result = unsafe name.withCString { name in
      retryingInterrupts { unsafe sluice_mq_open(name, flags, mode_t(permissions.rawValue), capacity, byteCount) }
    }
    guard result >= 0 else {
      throw MessageQueueError(opening: name, negated: result, capacity: capacity, messageByteCount: byteCount)
    }
    do { return try MessageQueue(Handle(owning: FileDescriptor(rawValue: result))) } catch { throw .failed(error) }
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

  /// Sends a message, if there is room. The corresponding C function is `mq_timedsend`, with a deadline long past: whoever
  /// shares the open queue cannot make it block.
  ///
  /// - Parameters:
  ///   - message: At most `maxMessageByteCount` bytes.
  ///   - priority: 0 to 32,767.
  /// - Returns: Whether there was room.
  /// - Throws: `EMSGSIZE` when the message is too large, `EBADF` when the queue was opened for receiving.
  public func trySend(_ message: RawSpan, priority: UInt32 = 0) throws(SystemError) -> Bool {
    // Sound: the span outlives the call, which only reads.
    let result = unsafe message.withUnsafeBytes { bytes in
      retryingInterrupts { unsafe sluice_mq_send(handle.rawValue, bytes.baseAddress, bytes.count, priority) }
    }
    if Self.mustWait(Int(result)) { return false }
    if result < 0 {
      throw SystemError(
        operation: "mq_timedsend", negated: result, detail: "\(message.byteCount) bytes, limit \(maxMessageByteCount)")
    }
    return true
  }

  /// Receives a message, if there is one. The corresponding C function is `mq_timedreceive`; as above.
  ///
  /// - Parameter body: Sees the message, in private memory.
  /// - Returns: Whether there was one.
  public func tryReceive(_ body: (_ message: RawSpan, _ priority: UInt32) -> Void) throws(SystemError) -> Bool {
    var failure: SystemError?
    // Sound: the buffer has the size that the queue demands, and the call fills what its result says.
    let isReceived = unsafe withUnsafeTemporaryAllocation(byteCount: maxMessageByteCount, alignment: 8) { buffer in
      do throws(SystemError) {
        guard let (count, priority) = unsafe try tryReceive(into: buffer) else { return false }
        body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<count])), priority)
        return true
      } catch {
        failure = error
        return false
      }
    }
    if let failure { throw failure }
    return isReceived
  }

  /// Receives a message, if there is one, into memory of the caller's. The corresponding C function is `mq_timedreceive`.
  ///
  /// - Parameter buffer: At least `maxMessageByteCount` bytes.
  /// - Returns: How many bytes the message has, and its priority; `nil` when there was none, and nothing was written.
  /// - Throws: `EMSGSIZE` when the buffer is too small.
  @unsafe
  public func tryReceive(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(SystemError) -> (byteCount: Int, priority: UInt32)? {
    var priority: UInt32 = 0
    let result = retryingInterrupts {
      unsafe sluice_mq_receive(handle.rawValue, buffer.baseAddress, buffer.count, &priority)
    }
    if Self.mustWait(result) { return nil }
    if result < 0 { throw SystemError(operation: "mq_timedreceive", negated: result) }
    return (result, priority)
  }

  /// Makes `receiveBlocking` wait. What `trySend` and `tryReceive` do does not change. The corresponding C call is
  /// `fcntl(F_SETFL)`.
  public func setBlocking() throws(SystemError) {
    try systemCall("fcntl", "F_SETFL") { sluice_set_non_blocking(handle.rawValue, 0) }
  }

  /// Receives a message, waiting until there is one, on a queue that was set to block. The corresponding C function is
  /// `mq_receive`.
  ///
  /// - Parameter buffer: At least `maxMessageByteCount` bytes.
  /// - Returns: How many bytes the message has, and its priority; `nil` when a signal came, or when somebody who shares the
  ///   queue lets it not block any more, and nothing was written.
  /// - Throws: `EMSGSIZE` when the buffer is too small.
  @unsafe
  public func receiveBlocking(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(SystemError) -> (byteCount: Int, priority: UInt32)? {
    var priority: UInt32 = 0
    let result = unsafe sluice_mq_receive_blocking(handle.rawValue, buffer.baseAddress, buffer.count, &priority)
    if Self.mustWait(result) || result == -Int(Errno.interrupted.rawValue) { return nil }
    if result < 0 { throw SystemError(operation: "mq_receive", negated: result) }
    return (result, priority)
  }

  /// `ETIMEDOUT` comes when another process has made the open queue a blocking one.
  private static func mustWait(_ result: Int) -> Bool {
    result == -Int(Errno.resourceTemporarilyUnavailable.rawValue) || result == -Int(Errno.timedOut.rawValue)
  }
}
