import Foundation
import SluiceMemory
import SluiceSystem
import SystemPackage
import Testing

/// The kinds of segments, each of which the suite runs over.
enum TestedBacking: CaseIterable, CustomTestStringConvertible {
  case sealedMemory, namedForOwner, namedForGroup, namedForEveryone

  var testDescription: String { "\(self)" }

  private var access: SegmentAccess? {
    switch self {
    case .sealedMemory: nil
    case .namedForOwner: .owner
    case .namedForGroup: .group
    case .namedForEveryone: .everyone
    }
  }

  /// A place for segments whose names begin with `prefix`.
  func place(_ prefix: String) throws -> SegmentPlace {
    try access.map { .named(try NamedSegments(prefix: prefix, access: $0)) } ?? .sealedMemory
  }

  var demand: SegmentDemand {
    access.map { .named(owner: UserIdentity.effectiveUID, access: $0) } ?? .sealed
  }

  /// A prefix that nobody else uses.
  func prefix() -> String { "sluice-test.\(UUID().uuidString.prefix(8))" }
}

/// What each kind of segment must do.
@Suite struct SegmentConformanceTests {
  private func borrow(
    _ segment: Segment, _ backing: TestedBacking, options: SegmentOptions = []
  ) throws -> BorrowedSegment {
    try BorrowedSegment(
      segment.handle.duplicated(), name: segment.name, byteCount: segment.byteCount, demanding: backing.demand,
      options: options)
  }

  @Test(arguments: TestedBacking.allCases)
  func `a borrower reads what the owner writes, through the same inode`(_ backing: TestedBacking) throws {
    let prefix = backing.prefix()
    let segment = try Segment.create(name: "\(prefix).0", byteCount: 10_000, in: backing.place(prefix))
    let borrowed = try borrow(segment, backing)
    #expect(borrowed.identity == segment.identity)
    #expect(borrowed.backing == segment.backing)
    #expect(borrowed.baseAddress.load(fromByteOffset: 9_999, as: UInt8.self) == 0, "new memory is zero")
    segment.baseAddress.storeBytes(of: 77, toByteOffset: 9_999, as: UInt8.self)
    #expect(borrowed.baseAddress.load(fromByteOffset: 9_999, as: UInt8.self) == 77)
    let shared = BorrowedSegment(sharing: borrowed)
    #expect(shared.baseAddress == borrowed.baseAddress)
  }

  @Test(arguments: TestedBacking.allCases)
  func `a borrower cannot write with what it was given`(_ backing: TestedBacking) throws {
    let prefix = backing.prefix()
    let segment = try Segment.create(name: "\(prefix).0", byteCount: 4096, in: backing.place(prefix))
    let received = try segment.handle.duplicated()
    let descriptor = received.descriptor.rawValue
    #expect(pwrite(descriptor, [1] as [UInt8], 1, 0) == -1)
    #expect(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED)
    #expect(ftruncate(descriptor, 0) == -1)
    let pages = UnsafeMutableRawPointer(mutating: try borrow(segment, backing).baseAddress)
    #expect(mprotect(pages, 4096, PROT_READ | PROT_WRITE) == -1)
  }

  @Test(arguments: TestedBacking.allCases)
  func `another size than announced is refused`(_ backing: TestedBacking) throws {
    let prefix = backing.prefix()
    let segment = try Segment.create(name: "\(prefix).0", byteCount: 8192, in: backing.place(prefix))
    for announced in [1, 4096, 8191, 8193, 1 << 40] {
      #expect(throws: SegmentError.wrongByteCount(name: "x", found: 8192, announced: announced)) {
        try BorrowedSegment(segment.handle, name: "x", byteCount: announced, demanding: backing.demand)
      }
    }
  }

  @Test(arguments: TestedBacking.allCases)
  func `nothing is left of a segment, and a forked child inherits none`(_ backing: TestedBacking) throws {
    let prefix = backing.prefix()
    do {
      let segment = try Segment.create(name: "\(prefix).0", byteCount: 1 << 20, in: backing.place(prefix))
      let borrowed = try borrow(segment, backing)
      #expect(try ProcessState.mappingCount(prefix) == 2)
      #expect(try ProcessState.mappingFlags("\(prefix).0").contains("dc"), "not copied by fork")
      withExtendedLifetime((segment, borrowed)) {}
    }
    #expect(try ProcessState.mappingCount(prefix) == 0)
    #expect(try ProcessState.descriptorCount(prefix) == 0)
    #expect(try ProcessState.files(prefix) == [])
  }

  @Test(arguments: TestedBacking.allCases)
  func `a borrowed mapping outlives its owner`(_ backing: TestedBacking) throws {
    let prefix = backing.prefix()
    var segment: Segment? = try Segment.create(name: "\(prefix).0", byteCount: 4096, in: backing.place(prefix))
    segment?.baseAddress.storeBytes(of: 5, as: UInt8.self)
    let borrowed = try borrow(#require(segment), backing)
    segment = nil
    #expect(try ProcessState.files(prefix) == [])
    #expect(borrowed.baseAddress.load(as: UInt8.self) == 5)
  }

  @Test(arguments: TestedBacking.allCases)
  func `a prefaulted segment has all of its pages, at both ends`(_ backing: TestedBacking) throws {
    let prefix = backing.prefix()
    let byteCount = 8 << 20
    let segment = try Segment.create(
      name: "\(prefix).0", byteCount: byteCount, in: backing.place(prefix), options: [.prefault, .hugePages])
    #expect(segment.residentByteCount == byteCount)
    segment.baseAddress.storeBytes(of: 1, toByteOffset: 4096, as: UInt8.self)
    let borrowed = try borrow(segment, backing, options: .prefault)
    let resident = try ProcessState.residentByteCount(ofMappings: prefix)
    #expect(resident == 2 * byteCount, "both mappings are complete before they are used")
    #expect(borrowed.baseAddress.load(fromByteOffset: 4096, as: UInt8.self) == 1)
  }

  @Test(arguments: TestedBacking.allCases)
  func `an arena allocates, resizes and gives back`(_ backing: TestedBacking) throws {
    let prefix = backing.prefix()
    do {
      let arena = try Arena(name: prefix, scope: .session, byteLimit: 64 << 20, in: backing.place(prefix))
      let small = try #require(try arena.allocate(byteCount: 100).baseAddress)
      let large = try #require(try arena.allocate(byteCount: 20 << 20).baseAddress)
      #expect(arena.segments.map(\.name) == ["\(prefix).0", "\(prefix).1"])
      arena.deallocate(large)
      arena.trim()
      #expect(arena.segments.map(\.name) == ["\(prefix).0"])
      arena.deallocate(small)
    }
    #expect(try ProcessState.mappingCount(prefix) == 0)
    #expect(try ProcessState.files(prefix) == [])
  }
}
