import CSluice
import Glibc
import SystemPackage
import Testing

@testable import SluiceSystem

@Suite struct SegmentTests {
  @Test func aBorrowerReadsWhatTheOwnerWritesThroughTheSameInode() throws {
    let segment = try Segment.create(name: "test.shared", byteCount: 10_000)
    let borrowed = try BorrowedSegment(segment.handle.duplicated(), name: segment.name, byteCount: 10_000)
    #expect(borrowed.inode == segment.inode)
    #expect(borrowed.byteCount == 10_000)
    #expect(borrowed.baseAddress.load(fromByteOffset: 9_999, as: UInt8.self) == 0)
    segment.baseAddress.storeBytes(of: 77, toByteOffset: 9_999, as: UInt8.self)
    #expect(borrowed.baseAddress.load(fromByteOffset: 9_999, as: UInt8.self) == 77)
  }

  @Test func aBorrowedMappingOutlivesItsOwnerAndItsDescriptor() throws {
    var segment: Segment? = try Segment.create(name: "test.outlived", byteCount: 4096)
    segment?.baseAddress.storeBytes(of: 5, as: UInt8.self)
    let borrowed = try BorrowedSegment(#require(segment).handle, name: "test.outlived", byteCount: 4096)
    segment = nil
    #expect(try ProcessState.descriptorCount("test.outlived") == 0)
    #expect(borrowed.baseAddress.load(as: UInt8.self) == 5)
  }

  /// What a borrower of the same user can try with the descriptor it was given: each must fail, the owner goes on.
  @Test func aBorrowerCannotWriteTruncateOrPunchEvenWhenItReopensTheDescriptor() throws {
    let byteCount = 1 << 16
    let segment = try Segment.create(name: "test.attacked", byteCount: byteCount)
    segment.baseAddress.storeBytes(of: 42, as: UInt8.self)
    let received = try segment.handle.duplicated()
    let borrowed = try BorrowedSegment(received, name: "test.attacked", byteCount: byteCount)

    let path = "/proc/self/fd/\(received.descriptor.rawValue)"
    let reopened = open(path, O_RDWR | O_CLOEXEC)
    try #require(reopened >= 0, "the kernel lets the same user reopen it: the seals have to hold")
    defer { close(reopened) }
    // Glibc's module does not show fallocate(2).
    typealias Fallocate = @convention(c) (Int32, Int32, Int, Int) -> Int32
    let fallocate = unsafeBitCast(try #require(dlsym(nil, "fallocate")), to: Fallocate.self)
    for descriptor in [received.descriptor.rawValue, reopened] {
      expectFailure(EPERM) { Int(pwrite(descriptor, [1, 2, 3] as [UInt8], 3, 0)) }
      expectFailure(EPERM) { Int(ftruncate(descriptor, 0)) }
      expectFailure(EPERM) { Int(ftruncate(descriptor, Int(byteCount) * 2)) }
      // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
      expectFailure(EPERM) { Int(fallocate(descriptor, 0x02 | 0x01, 0, Int(byteCount))) }
      expectFailure(EPERM) {
        mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED ? -1 : 0
      }
      #expect(sluice_add_seals(descriptor, SegmentSeals.write.rawValue) == -EPERM)
      // A mapping that starts read-only cannot be made writable later.
      let mapping = try #require(mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0))
      #expect(mapping != MAP_FAILED)
      expectFailure(EACCES) { Int(mprotect(mapping, byteCount, PROT_READ | PROT_WRITE)) }
      munmap(mapping, byteCount)
    }
    expectFailure(EPERM) { Int(open(path, O_RDWR | O_TRUNC)) }
    let pages = UnsafeMutableRawPointer(mutating: borrowed.baseAddress)
    expectFailure(EACCES) { Int(mprotect(pages, byteCount, PROT_READ | PROT_WRITE)) }
    expectFailure(EACCES) { Int(madvise(pages, byteCount, SLUICE_MADV_REMOVE)) }

    #expect(borrowed.baseAddress.load(as: UInt8.self) == 42)
    segment.baseAddress.storeBytes(of: 43, as: UInt8.self)
    #expect(borrowed.baseAddress.load(as: UInt8.self) == 43)
  }

  private func expectFailure(_ expected: Int32, _ call: () -> Int, sourceLocation: SourceLocation = #_sourceLocation) {
    errno = 0
    let result = call()
    let found = errno
    #expect(result == -1, sourceLocation: sourceLocation)
    #expect(found == expected, sourceLocation: sourceLocation)
  }

  @Test func memoryThatLacksAnyOneSealIsRefusedAndNamed() throws {
    let required: [SegmentSeals] = [.seal, .shrink, .grow, .futureWrite]
    for missing in required {
      let handle = try memfd(byteCount: 4096, seals: SegmentSeals.required.subtracting(missing))
      #expect(
        throws: SegmentError.unsealed(
          name: "x", found: SegmentSeals.required.subtracting(missing), required: .required)
      ) { try BorrowedSegment(handle, name: "x", byteCount: 4096) }
    }
    let unsealed = try memfd(byteCount: 4096, seals: [])
    #expect(throws: SegmentError.unsealed(name: "x", found: [], required: .required)) {
      try BorrowedSegment(unsealed, name: "x", byteCount: 4096)
    }
  }

  @Test(arguments: [0, 1, 4095, 4097, 8192])
  func memoryOfAnotherSizeThanAnnouncedIsRefused(byteCount: Int) throws {
    let handle = try memfd(byteCount: byteCount, seals: .required)
    #expect(throws: SegmentError.wrongByteCount(name: "x", found: byteCount, announced: 4096)) {
      try BorrowedSegment(handle, name: "x", byteCount: 4096)
    }
  }

  @Test func whatIsNoSharedMemoryIsRefused() throws {
    // A regular file of a file system, a device, and a pipe.
    let file = "/proc/self/exe"
    for path in [file, "/dev/zero"] {
      let handle = try Handle(owning: FileDescriptor.open(path, .readOnly))
      #expect(throws: SegmentError.notSealable(name: "x")) { try BorrowedSegment(handle, name: "x", byteCount: 4096) }
    }
    let (reading, writing) = try FileDescriptor.pipe()
    defer { try? writing.close() }
    let pipe = Handle(owning: reading)
    #expect(throws: SegmentError.notSealable(name: "x")) { try BorrowedSegment(pipe, name: "x", byteCount: 4096) }
  }

  @Test func anAnnouncedSizeBelowOneByteIsRefused() throws {
    let segment = try Segment.create(name: "test.size", byteCount: 1)
    #expect(throws: SegmentError.invalidByteCount(name: "x", 0)) {
      try BorrowedSegment(segment.handle, name: "x", byteCount: 0)
    }
    #expect(throws: SegmentError.invalidByteCount(name: "x", -4096)) {
      try BorrowedSegment(segment.handle, name: "x", byteCount: -4096)
    }
  }

  @Test func aSegmentThatCannotBeMadeSaysWhy() throws {
    for name in ["", String(repeating: "n", count: 250), "a\0b"] {
      #expect(throws: SegmentError.invalidName(name)) { try Segment.create(name: name, byteCount: 4096) }
    }
    #expect(throws: SegmentError.invalidByteCount(name: "x", 0)) { try Segment.create(name: "x", byteCount: 0) }
    let limit = ResourceLimit.addressSpace
    #expect(throws: SegmentError.addressSpaceFull(name: "test.endless", limit: limit == .max ? nil : limit)) {
      try Segment.create(name: "test.endless", byteCount: 1 << 60)
    }
    #expect(try ProcessState.descriptorCount("test.endless") == 0)
  }

  @Test func nothingIsLeftOfASegmentAndForkedChildrenInheritNone() throws {
    do {
      let segment = try Segment.create(name: "test.gone", byteCount: 1 << 20)
      let borrowed = try BorrowedSegment(segment.handle, name: "test.gone", byteCount: 1 << 20)
      #expect(try ProcessState.mappingCount("test.gone") == 2)
      #expect(try ProcessState.descriptorCount("test.gone") == 1)
      // "dc": not copied by fork.
      #expect(try ProcessState.mappingFlags("test.gone").contains("dc"))
      withExtendedLifetime((segment, borrowed)) {}
    }
    #expect(try ProcessState.mappingCount("test.gone") == 0)
    #expect(try ProcessState.descriptorCount("test.gone") == 0)
  }

  @Test func aMappingCanBeAlignedAndTakesNoMoreRoomThanItNeeds() throws {
    let alignment = 2 << 20
    let segments = try (0..<5).map { _ in
      try Segment.create(name: "test.aligned", byteCount: 12_345, alignment: alignment)
    }
    for segment in segments {
      #expect(UInt(bitPattern: segment.baseAddress) % UInt(alignment) == 0)
      segment.baseAddress.storeBytes(of: 1, toByteOffset: 12_344, as: UInt8.self)
    }
    #expect(try ProcessState.mappingCount("test.aligned") == 5)
  }

  private func memfd(byteCount: Int, seals: SegmentSeals) throws -> Handle {
    let descriptor = sluice_memfd_create("test.forged", SLUICE_MFD_CLOEXEC | SLUICE_MFD_ALLOW_SEALING)
    try #require(descriptor >= 0)
    let handle = Handle(owning: FileDescriptor(rawValue: descriptor))
    try #require(sluice_ftruncate(descriptor, Int64(byteCount)) == 0)
    try #require(sluice_add_seals(descriptor, seals.rawValue) == 0)
    return handle
  }
}
