import CSluice
import Glibc
import SystemPackage

/// A set of named segments of one owner: those whose names begin with its prefix and a dot.
///
/// Named segments have a path, `/dev/shm/<name>`, so they would stay behind when their owner is killed. While this object
/// lives, the process holds the lock of the file `/dev/shm/<prefix>.lock`; each ``Segment`` of the set keeps the
/// object. So whoever gets the lock knows that the owner is dead, whatever became of its process id, and may remove what
/// it left: ``removeLeftovers(of:)``.
///
/// Order: the lock comes before the first segment, and goes after the last one. Threads: immutable, safe from any thread.
public final class NamedSegments: Sendable {
  /// What the names of the segments begin with, before a dot.
  public let prefix: String
  /// Who may open the segments.
  public let access: SegmentAccess
  private let lock: FileLock

  static let directory = FilePath("/dev/shm")
  private static let lockName = "lock"

  /// Claims the names that begin with `prefix` and a dot.
  ///
  /// - Parameter prefix: 1 to 200 bytes without `/` and zero: no living process may have it.
  /// - Throws: ``SegmentError/invalidName(_:)``; ``SegmentError/lock(_:)``, when another process, or this one, has the set.
  public init(prefix: String, access: SegmentAccess) throws(SegmentError) {
    guard (1...200).contains(prefix.utf8.count), !prefix.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") })
    else { throw .invalidName(prefix) }
    self.prefix = prefix
    self.access = access
    lock = try Self.claim(prefix)
    // What a dead owner of the same name left: whoever has the lock may.
    Self.removeSegments(of: prefix)
  }

  private static func path(of name: String) -> FilePath { directory.appending(name) }

  private static func claim(_ prefix: String) throws(SegmentError) -> FileLock {
    // Who looks for leftovers holds the lock of a new set for a moment: a few more attempts suffice. If it was interrupted
    // there, for which a busy machine takes its time, some more: a quarter of a second in all.
    var attempt = 0
    while true {
      do {
        return try FileLock.acquire(path(of: "\(prefix).\(lockName)"))
      } catch {
        attempt += 1
        guard attempt < 64, case .held = error else { throw .lock(error) }
        if attempt < 16 { sched_yield() } else { Processors.rest(microseconds: 5000) }
      }
    }
  }

  deinit {
    // The last act of an owner that still has the lock. What cannot be removed, the next one removes.
    _ = try? FileSystem.removeFile(lock.path)
  }

  /// Removes what owners left that are dead by proof: the named segments, and the locks, of each set whose prefix is
  /// `family`, or begins with it and a dot, and whose lock is free. Only what belongs to this user is looked at.
  ///
  /// - Returns: The names of the segments that were removed.
  @discardableResult public static func removeLeftovers(of family: String) -> [String] {
    guard let names = try? FileSystem.entries(of: directory) else { return [] }
    let sets = names.compactMap { name -> String? in
      guard name.hasPrefix(family + "."), let dot = name.lastIndex(of: ".") else { return nil }
      return String(name[..<dot])
    }
    var removed: [String] = []
    for prefix in Set(sets) where isOurs("\(prefix).\(lockName)", amongMissing: true) {
      // Held: alive. Another failure: not ours to judge.
      guard let lock = try? FileLock.acquire(path(of: "\(prefix).\(lockName)")) else { continue }
      removed += removeSegments(of: prefix)
      _ = try? FileSystem.removeFile(lock.path)
    }
    return removed
  }

  /// Only by who has the lock.
  @discardableResult private static func removeSegments(of prefix: String) -> [String] {
    guard let names = try? FileSystem.entries(of: directory) else { return [] }
    return names.filter { name in
      guard name.hasPrefix(prefix + "."), let number = name.split(separator: ".").last, Int(number) != nil,
        name.utf8.count == prefix.utf8.count + 1 + number.utf8.count, isOurs(name, amongMissing: false)
      else { return false }
      return (try? FileSystem.removeFile(path(of: name))) == true
    }
  }

  /// Whether a name stands for a file of this user. In `/dev/shm` anybody can put anything.
  private static func isOurs(_ name: String, amongMissing: Bool) -> Bool {
    let found: Stat?
    do { found = try FileSystem.status(of: path(of: name)) } catch { return false }
    guard let status = found else { return amongMissing }
    return status.type == .regular && status.userID.rawValue == UserIdentity.effectiveUID
  }

  // MARK: Making one

  /// A file in `/dev/shm`, removed when this object dies.
  final class File: Sendable {
    let name: String
    private let identity: SegmentIdentity
    /// Kept, so that the set is claimed as long as it has a segment.
    private let set: NamedSegments

    fileprivate init(name: String, identity: SegmentIdentity, set: NamedSegments) {
      self.name = name
      self.identity = identity
      self.set = set
    }

    deinit {
      let path = NamedSegments.path(of: name)
      // Somebody else of this user may have put another file there.
      guard let status = try? FileSystem.status(of: path), status.inode.rawValue == identity.inode else { return }
      _ = try? FileSystem.removeFile(path)
    }
  }

  /// Makes a file of the set, all of its pages reserved: a full `/dev/shm` says so now, and not when a page is touched.
  func makeFile(name: String, byteCount: Int) throws(SegmentError) -> (file: File, handle: Handle) {
    guard let number = name.split(separator: ".").last, name == "\(prefix).\(number)", Int(number) != nil else {
      throw .invalidName(name)
    }
    do {
      let handle = try Handle.owning("shm_open", name) {
        unsafe sluice_shm_open("/" + name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, mode_t(access.rawValue))
      }
      let file = File(name: name, identity: try SegmentStatus(of: handle.descriptor).identity, set: self)
      let descriptor = handle.rawValue
      // Whatever the umask.
      try systemCall("fchmod", name) { fchmod(descriptor, mode_t(access.rawValue)) == 0 ? 0 : -errno }
      try systemCall("ftruncate", "\(byteCount) bytes") { sluice_ftruncate(descriptor, Int64(byteCount)) }
      try systemCall("fallocate", "\(byteCount) bytes") { sluice_fallocate(descriptor, 0, Int64(byteCount)) }
      return (file, handle)
    } catch {
      if error.errno == .fileExists { throw .nameTaken(name: name) }
      guard error.errno == .noSpace || error.errno == .fileTooLarge else { throw SegmentError(name, error) }
      let room = Self.room
      throw .sharedMemoryFull(name: name, requested: byteCount, limit: room.limit, available: room.available)
    }
  }

  /// A descriptor to give away: one that cannot write.
  static func openForReading(_ name: String) throws(SystemError) -> Handle {
    try Handle.owning("shm_open", name) { unsafe sluice_shm_open("/" + name, O_RDONLY | O_NOFOLLOW, 0) }
  }

  /// The size of `/dev/shm`, and what is free of it, in bytes.
  private static var room: (limit: Int, available: Int) {
    var status = statvfs()
    guard unsafe statvfs(directory.string, &status) == 0 else { return (0, 0) }
    let unit = Int(status.f_frsize)
    return (Int(status.f_blocks) * unit, Int(status.f_bavail) * unit)
  }
}
