import Glibc
import Synchronization
import SystemPackage

/// A message queue whose name goes with its owner: at `remove`, when the last reference goes, or, if the owner's process
/// dies first, when somebody calls `removeLeftovers`. Thread-safe.
///
/// The kernel keeps a queue's name until it is unlinked, and need not show which names there are (`/dev/mqueue` is often
/// not mounted). So before the queue is made, a file named after it is made in a directory, the journal, and locked by
/// the owner's process. A file there that can be locked is a dead owner's: its queue may go. The file goes last.
public final class JournaledQueue: Sendable {
  /// The queue's name.
  public let name: String
  /// The queue.
  public let queue: MessageQueue
  private let entry: QueueJournalEntry

  /// Makes a queue.
  ///
  /// - Parameters:
  ///   - name: A slash, then up to 240 bytes without one. What a dead owner left under that name is replaced.
  ///   - permissions: Who may open it, less the umask.
  ///   - journal: A directory that nobody else can write to, for queues only; all processes that shall clean up after one
  ///     another use the same. The entry takes one descriptor as long as the name stands.
  public init(
    _ name: String = MessageQueue.unguessableName(), capacity: Int, maxMessageByteCount: Int,
    permissions: FilePermissions = .ownerReadWrite, access: MessageQueue.Access = .duplex, journal: FilePath
  ) throws(MessageQueueError) {
    let entry = try QueueJournalEntry(of: name, in: journal)
    do throws(MessageQueueError) {
      if entry.wasLeftOver { try entry.removeQueue() }
      queue = try MessageQueue.create(
        name, capacity: capacity, maxMessageByteCount: maxMessageByteCount, permissions: permissions, access: access)
    } catch {
      entry.removeFile()
      throw error
    }
    self.name = name
    self.entry = entry
  }

  deinit {
    try? remove()
  }

  /// Removes the name, and its entry in the journal. Who has the queue open keeps it. The second time, nothing happens.
  public func remove() throws(MessageQueueError) {
    try entry.remove()
  }

  /// Removes the queues of owners that died, and their entries. Leaves those of owners that live alone.
  ///
  /// - Parameter journal: The directory. It is checked: it must belong to this user or root, and nobody else may be able to
  ///   write to it.
  /// - Returns: The names that were removed, also those of queues that were gone already.
  /// - Throws: `failed` when the directory cannot be trusted or read. A single queue that cannot be removed is left.
  @discardableResult
  public static func removeLeftovers(in journal: FilePath) throws(MessageQueueError) -> [String] {
    do {
      try FileSystem.verifyDirectory(
        journal, owners: [geteuid(), 0], atMost: [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute])
    } catch {
      throw .failed(SystemError(operation: "open", errno: .permissionDenied, detail: "\(error)"))
    }
    let files: [String]
    do { files = try FileSystem.entries(of: journal) } catch { throw .failed(error) }
    var removed: [String] = []
    for file in files {
      guard let name = QueueJournalEntry.queueName(ofFile: file) else { continue }
      // Held by an owner that lives, or removed by another process meanwhile.
      guard let entry = try? QueueJournalEntry(of: name, in: journal) else { continue }
      guard entry.wasLeftOver else {
        entry.removeFile()
        continue
      }
      if (try? entry.remove()) != nil { removed.append(name) }
    }
    return removed
  }
}

/// A file in the journal, locked by this process.
final class QueueJournalEntry: Sendable {
  /// Whether the file was there before: then its owner is dead.
  let wasLeftOver: Bool
  private let name: String
  private let lock: FileLock
  private let isRemoved = Mutex(false)

  private static let suffix = ".queue"
  /// What the suffix leaves of the bytes of a file's name.
  private static let nameByteCountLimit = 240

  init(of name: String, in journal: FilePath) throws(MessageQueueError) {
    let bare = name.utf8.dropFirst()
    guard name.utf8.first == UInt8(ascii: "/"), (1...Self.nameByteCountLimit).contains(bare.count),
      !bare.contains(UInt8(ascii: "/")), !bare.contains(0)
    else { throw .invalidName(name, byteCountLimit: Self.nameByteCountLimit) }
    let path = journal.appending(String(name.dropFirst()) + Self.suffix)
    do {
      wasLeftOver = try FileSystem.status(of: path) != nil
    } catch {
      throw .failed(error)
    }
    do { lock = try FileLock.acquire(path) } catch { throw .journal(error) }
    self.name = name
  }

  /// The queue that a file of the journal stands for; nil when it is no entry.
  static func queueName(ofFile file: String) -> String? {
    file.hasSuffix(suffix) && file.utf8.count > suffix.utf8.count ? "/" + file.dropLast(suffix.count) : nil
  }

  func removeQueue() throws(MessageQueueError) {
    do { _ = try MessageQueue.unlink(name) } catch { throw .failed(error) }
  }

  /// While this process has the lock, nobody else takes the file for a dead owner's.
  func removeFile() {
    _ = try? FileSystem.removeFile(lock.path)
  }

  /// Once only: after that, the name may be another owner's.
  func remove() throws(MessageQueueError) {
    try isRemoved.withLock { (isRemoved) throws(MessageQueueError) in
      if isRemoved { return }
      try removeQueue()
      removeFile()
      isRemoved = true
    }
  }
}
