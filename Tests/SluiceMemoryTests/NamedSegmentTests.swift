import Foundation
import SluiceSystem
import SystemPackage
import Testing

@testable import SluiceMemory

/// What is special about segments with a path: who may open them, what is refused, and what becomes of them when their
/// owner dies.
@Suite struct NamedSegmentTests {
  private let prefix = "sluice-test.\(UUID().uuidString.prefix(8)).named"

  private func make(_ access: SegmentAccess = .owner, _ byteCount: Int = 4096) throws -> Segment {
    try Segment.create(
      name: "\(prefix).0", byteCount: byteCount, in: .named(NamedSegments(prefix: prefix, access: access)))
  }

  @Test(arguments: SegmentAccess.allCases)
  func `the mode is the one that was asked for, whatever the umask`(_ access: SegmentAccess) throws {
    let segment = try make(access)
    let status = try Stat(FilePath("/dev/shm/\(segment.name)"), followTargetSymlink: false)
    #expect(status.permissions == access.permissions)
    #expect(segment.backing == .named(access))
  }

  @Test func `what is foreign is refused, and named`() throws {
    let segment = try make(.owner)
    let uid = UserIdentity.effectiveUID
    #expect(throws: SegmentError.wrongOwner(name: "x", found: uid, expected: uid + 1)) {
      try BorrowedSegment(segment.handle, name: "x", byteCount: 4096, demanding: .named(owner: uid + 1, access: .owner))
    }
    #expect(throws: SegmentError.wrongMode(name: "x", found: 0o600, expected: .everyone)) {
      try BorrowedSegment(segment.handle, name: "x", byteCount: 4096, demanding: .named(owner: uid, access: .everyone))
    }
    // A file on a disk, a device, a pipe, a directory: none is shared memory.
    let (reading, writing) = try FileDescriptor.pipe()
    defer { try? writing.close() }
    let foreign = [
      try Handle.open("/proc/self/exe", .readOnly), try Handle.open("/dev/zero", .readOnly),
      try Handle.open("/tmp", .readOnly), Handle(owning: reading),
    ]
    for handle in foreign {
      #expect(throws: SegmentError.notSharedMemory(name: "x")) {
        try BorrowedSegment(handle, name: "x", byteCount: 4096, demanding: .named(owner: uid, access: .owner))
      }
    }
    // And where seals are demanded, a named segment has none that suffice.
    #expect(throws: SegmentError.unsealed(name: "x", found: .seal, required: .required)) {
      try BorrowedSegment(segment.handle, name: "x", byteCount: 4096)
    }
  }

  @Test func `a name outside of the set, and one that is taken, are refused`() throws {
    let names = try NamedSegments(prefix: prefix, access: .owner)
    for name in ["other.0", "\(prefix).x", "\(prefix).1.2", "\(prefix)", "\(prefix).lock", "\(prefix)./0"] {
      #expect(throws: SegmentError.invalidName(name)) {
        try Segment.create(name: name, byteCount: 1, in: .named(names))
      }
    }
    let first = try Segment.create(name: "\(prefix).0", byteCount: 1, in: .named(names))
    #expect(throws: SegmentError.nameTaken(name: "\(prefix).0")) {
      try Segment.create(name: "\(prefix).0", byteCount: 1, in: .named(names))
    }
    #expect(try ProcessState.files(prefix) == ["\(prefix).0", "\(prefix).lock"])
    withExtendedLifetime(first) {}
    for name in ["", "a/b", "a\0b", String(repeating: "n", count: 201)] {
      #expect(throws: SegmentError.invalidName(name)) { try NamedSegments(prefix: name, access: .owner) }
    }
  }

  @Test func `a set that is in use is not given to another, in this process or elsewhere`() throws {
    let segment = try make()
    do {
      _ = try NamedSegments(prefix: prefix, access: .owner)
      Issue.record("the set was given away twice")
    } catch {
      guard case .lock(.held) = error else { throw error }
    }
    #expect(NamedSegments.removeLeftovers(of: prefix) == [])
    #expect(try ProcessState.files(prefix) == ["\(prefix).0", "\(prefix).lock"])
    withExtendedLifetime(segment) {}
  }

  @Test func `something else that took a segment's name is left alone`() throws {
    let path = "/dev/shm/\(prefix).0"
    do {
      let segment = try make()
      #expect(unlink(path) == 0)
      try Data([1]).write(to: URL(filePath: path))
      withExtendedLifetime(segment) {}
    }
    #expect(try ProcessState.files(prefix) == ["\(prefix).0"])
    #expect(unlink(path) == 0)
  }

  /// Below sessions: a child process makes segments and is killed; another one lives on.
  @Test func `leftovers of the dead go by proof of death, and those of the living stay`() async throws {
    let family = "sluice-test.\(UUID().uuidString.prefix(8))"
    let living = try NamedSegments(prefix: "\(family).living", access: .owner)
    let alive = try Segment.create(name: "\(family).living.0", byteCount: 4096, in: .named(living))
    // The child says its part through /dev/shm itself: killed by its own hand, as if by SIGKILL from outside.
    let dead = "\(family).dead"
    await #expect(processExitsWith: .signal(SIGKILL)) { [dead = dead as String] in
      let names = try NamedSegments(prefix: dead, access: .owner)
      let segments = try (0..<3).map { try Segment.create(name: "\(dead).\($0)", byteCount: 4096, in: .named(names)) }
      // A child of its own must not keep the lock. It is gone before this test looks.
      withExtendedLifetime((names, segments)) { _ = kill(getpid(), SIGKILL) }
    }
    #expect(try ProcessState.files(dead).count == 4)
    // Somebody else's lock file without an owner's lock, and a file that is no segment.
    #expect(NamedSegments.removeLeftovers(of: family).sorted() == ["\(dead).0", "\(dead).1", "\(dead).2"])
    #expect(try ProcessState.files(family) == ["\(family).living.0", "\(family).living.lock"])
    #expect(NamedSegments.removeLeftovers(of: family) == [])
    withExtendedLifetime(alive) {}
  }

  @Test func `who claims a dead owner's set gets it clean`() async throws {
    let prefix = prefix
    await #expect(processExitsWith: .signal(SIGKILL)) { [prefix = prefix as String] in
      let names = try NamedSegments(prefix: prefix, access: .owner)
      let segment = try Segment.create(name: "\(prefix).7", byteCount: 4096, in: .named(names))
      withExtendedLifetime((names, segment)) { _ = kill(getpid(), SIGKILL) }
    }
    let names = try NamedSegments(prefix: prefix, access: .group)
    #expect(try ProcessState.files(prefix) == ["\(prefix).lock"])
    withExtendedLifetime(names) {}
  }

  @Test func `a full tmpfs is a typed error that names the limit, and leaves nothing`() throws {
    let names = try NamedSegments(prefix: prefix, access: .owner)
    do {
      _ = try Segment.create(name: "\(prefix).0", byteCount: 1 << 50, in: .named(names))
      Issue.record("a petabyte fits into /dev/shm")
    } catch {
      guard case .sharedMemoryFull("\(prefix).0", 1 << 50, let limit, let available) = error else { throw error }
      #expect(limit > 0 && limit < 1 << 50 && available <= limit)
      let description = error.description
      #expect(description.contains("tmpfs"))
    }
    #expect(try ProcessState.files(prefix) == ["\(prefix).lock"])
    // Work goes on.
    _ = try Segment.create(name: "\(prefix).0", byteCount: 4096, in: .named(names))
  }

  private static var mayMount: Bool {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    let capabilities = line?.split(whereSeparator: \.isWhitespace).last.flatMap { UInt64($0, radix: 16) } ?? 0
    return capabilities & 1 << 21 != 0  // CAP_SYS_ADMIN
  }

  /// In a process with a `/dev/shm` of its own, of 4 MiB, which an arena fills.
  @Test(.enabled(if: mayMount)) func `who met the limit of a tmpfs goes on after room returned`() async {
    await #expect(processExitsWith: .success) { [prefix = prefix as String] in
      // Glibc's module shows neither. The new root of mounts is this thread's alone, which nothing below leaves.
      let unshare = unsafeBitCast(dlsym(nil, "unshare"), to: (@convention(c) (Int32) -> Int32).self)
      typealias Mount =
        @convention(c) (
          UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UInt, UnsafePointer<CChar>?
        ) -> Int32
      let mount = unsafeBitCast(dlsym(nil, "mount"), to: Mount.self)
      let (newMounts, recursivelyPrivate) = (0x20000 as Int32, 0x4000 | 0x40000 as UInt)
      guard unshare(newMounts) == 0, mount(nil, "/", nil, recursivelyPrivate, nil) == 0,
        mount("none", "/dev/shm", "tmpfs", 0, "size=4m") == 0
      else { fatalError("no mount of its own: errno \(errno)") }

      let names = try NamedSegments(prefix: prefix, access: .owner)
      let arena = try Arena(name: prefix, scope: .session, byteLimit: 1 << 30, in: .named(names))
      var live: [UnsafeMutableRawBufferPointer] = []
      var found: ArenaError?
      while found == nil, live.count < 10 {
        do throws(ArenaError) { live.append(try arena.allocate(byteCount: 1 << 20)) } catch { found = error }
      }
      guard case .segment(.sharedMemoryFull(_, _, limit: 4 << 20, let available)) = found, available < 4 << 20 else {
        fatalError("expected the limit of the tmpfs, not \(String(describing: found))")
      }
      guard let last = live.popLast()?.baseAddress else { fatalError("nothing was allocated") }
      arena.deallocate(last)
      arena.trim()
      live.append(try arena.allocate(byteCount: 1 << 20))
      // Each byte is there: nothing was promised that the tmpfs does not have.
      for buffer in live { buffer.initializeMemory(as: UInt8.self, repeating: 1) }
    }
  }
}
