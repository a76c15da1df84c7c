import SluiceSystem
import Synchronization

/// The pages of an arena: a growing list of segments under a byte limit, and which of their pages are free.
///
/// All free pages of an arena are here, in one place, joined with their neighbours and ready for any use: jemalloc
/// keeps none of its own. Large allocations take their pages directly, jemalloc takes them for small ones through its
/// hooks.
///
/// Segments double the arena when they are added. An allocation above that size gets a *dedicated* segment, which only
/// serves allocations at least half as large as what it has free, so that small ones don't break it up.
///
/// Threads: one lock around everything but ``locate(_:)``, which has a lock of its own, held for a search only.
final class PageSource: Sendable {
  /// A segment that is not dedicated is never larger than this.
  static let largestGeneralSegmentByteCount = 256 << 20

  let byteLimit: Int
  /// The unit: jemalloc's page size, a multiple of the kernel's.
  let pageByteCount: Int
  private let name: String
  private let firstSegmentByteCount: Int
  private let state = Mutex(State())
  private let directory = Mutex(SegmentDirectory())

  /// What changed about the list of segments, since it was asked for last.
  struct Changes {
    /// Segments that went, and that nobody can have been given any more.
    var removed: [Segment] = []
    var hasGrown = false
  }

  private struct State {
    var generalPages = FreePages()
    var dedicatedPages = FreePages()
    /// By index.
    var segments: [Int: Record] = [:]
    var nextSegmentIndex = 0
    var mappedByteCount = 0
    /// Page counts of large allocations, by address.
    var large: [UInt: Int] = [:]
    var largePageCount = 0
    /// How many pages jemalloc has.
    var extentPageCount = 0
    /// Why the last call of a hook failed, since a hook itself cannot say it.
    var hookFailure: ArenaError?
    var changes = Changes()
    /// Counts the calls of `dropIdleSegments`.
    var round = 0
  }

  /// What is known of a segment. Used under the lock only.
  private final class Record {
    let segment: Segment
    let pageCount: Int
    let isDedicated: Bool
    /// The round in which pages of it were taken last.
    var lastUse: Int

    init(segment: Segment, pageCount: Int, isDedicated: Bool, lastUse: Int) {
      self.segment = segment
      self.pageCount = pageCount
      self.isDedicated = isDedicated
      self.lastUse = lastUse
    }
  }

  private let place: SegmentPlace
  private let options: SegmentOptions
  /// Whether there are changes to ask for: spares a lock on the way of each allocation.
  private let hasChanges = Atomic<Bool>(false)

  init(
    name: String, byteLimit: Int, firstSegmentByteCount: Int, pageByteCount: Int, place: SegmentPlace = .sealedMemory,
    options: SegmentOptions = []
  ) {
    self.name = name
    self.place = place
    self.options = options
    // More than there are addresses, little enough for sums not to overflow.
    self.byteLimit = min(byteLimit, 1 << 56)
    self.pageByteCount = pageByteCount
    self.firstSegmentByteCount = max(firstSegmentByteCount, pageByteCount)
  }

  // MARK: Large allocations

  /// Takes pages for a large allocation and remembers them by its address.
  func allocateLarge(pageCount: Int) throws(ArenaError) -> UInt {
    try state.withLock { (state) throws(ArenaError) in
      let address = try take(pageCount, &state)
      state.large[address] = pageCount
      state.largePageCount += pageCount
      return address
    }
  }

  /// Frees the large allocation at this address. False when there is none.
  func releaseLarge(at address: UInt) -> Bool {
    state.withLock { state in
      guard let pageCount = state.large.removeValue(forKey: address) else { return false }
      state.largePageCount -= pageCount
      putBack(address, pageCount, &state)
      return true
    }
  }

  /// Makes the large allocation at this address larger or smaller where it stands. Its page count after that; nil when
  /// there is none at this address, and the one it has when the pages behind it are not free.
  func resizeLarge(at address: UInt, pageCount: Int) -> Int? {
    state.withLock { state in
      guard let old = state.large[address] else { return nil }
      if pageCount < old {
        putBack(address + UInt(pageCount * pageByteCount), old - pageCount, &state)
      } else if pageCount > old {
        guard takeBehind(address, old, pageCount - old, &state) else { return old }
      }
      state.large[address] = pageCount
      state.largePageCount += pageCount - old
      return pageCount
    }
  }

  // MARK: What jemalloc's hooks call

  /// Pages for jemalloc, or nil; ``takeHookFailure()`` says why.
  func allocateExtent(byteCount: Int) -> UInt? {
    state.withLock { state in
      do throws(ArenaError) {
        let address = try take(byteCount / pageByteCount, &state)
        state.extentPageCount += byteCount / pageByteCount
        return address
      } catch {
        state.hookFailure = error
        return nil
      }
    }
  }

  func releaseExtent(at address: UInt, byteCount: Int) {
    state.withLock { state in
      state.extentPageCount -= byteCount / pageByteCount
      putBack(address, byteCount / pageByteCount, &state)
    }
  }

  func takeHookFailure() -> ArenaError? { state.withLock { $0.hookFailure.take() } }

  // MARK: Segments

  func locate(_ address: UInt) -> SegmentLocation? {
    guard let entry = directory.withLock({ $0.find(address) }) else { return nil }
    return SegmentLocation(
      segment: entry.segment, segmentIndex: entry.segmentIndex, offset: Int(address - entry.start))
  }

  /// By index, that is, by age.
  var segments: [Segment] {
    directory.withLock { $0.entries.sorted { $0.segmentIndex < $1.segmentIndex }.map(\.segment) }
  }

  /// Lets go of the segments without a used page.
  func dropEmptySegments() {
    state.withLock { state in removeEmptySegments(&state) { _ in true } }
  }

  /// Lets go of the segments without a used page of which no page was taken since the call before this one.
  func dropIdleSegments() {
    state.withLock { state in
      let round = state.round
      removeEmptySegments(&state) { $0.lastUse < round }
      state.round += 1
    }
  }

  /// What changed since the last call; nil, and nearly free, when nothing did. The segments are unmapped when they are
  /// let go, which takes a while: not under a lock.
  func takeChanges() -> Changes? {
    guard hasChanges.load(ordering: .relaxed) else { return nil }
    return state.withLock { state in
      hasChanges.store(false, ordering: .relaxed)
      defer { state.changes = Changes() }
      return state.changes
    }
  }

  var counts: (mappedByteCount: Int, largeByteCount: Int, segmentCount: Int) {
    state.withLock { ($0.mappedByteCount, $0.largePageCount * pageByteCount, $0.segments.count) }
  }

  /// How many pages jemalloc has.
  var extentPageCount: Int { state.withLock { $0.extentPageCount } }

  // MARK: The work, under the lock

  private func take(_ pageCount: Int, _ state: inout State) throws(ArenaError) -> UInt {
    if let address = takeFree(pageCount, dedicatedLimit: 2 * pageCount, state: &state) { return address }
    do throws(ArenaError) {
      try grow(by: pageCount, &state)
    } catch {
      // Under pressure a dedicated segment of any size serves.
      if let address = takeFree(pageCount, dedicatedLimit: .max, state: &state) { return address }
      throw error
    }
    guard let address = takeFree(pageCount, dedicatedLimit: .max, state: &state) else {
      preconditionFailure("a segment was added that has the pages asked for")
    }
    return address
  }

  private func takeFree(_ pageCount: Int, dedicatedLimit: Int, state: inout State) -> UInt? {
    let run =
      state.generalPages.take(pageCount: pageCount)
      ?? state.dedicatedPages.take(pageCount: pageCount, fromRunsUpTo: dedicatedLimit)
    guard let run, let record = state.segments[run.segment] else { return nil }
    record.lastUse = state.round
    return unsafe UInt(bitPattern: record.segment.baseAddress) + UInt(run.firstPage * pageByteCount)
  }

  /// Takes `count` pages behind the `pageCount` at `address`, if they are free.
  private func takeBehind(_ address: UInt, _ pageCount: Int, _ count: Int, _ state: inout State) -> Bool {
    guard let entry = directory.withLock({ $0.find(address) }), let record = state.segments[entry.segmentIndex] else {
      return false
    }
    let run = PageRun(
      segment: entry.segmentIndex, firstPage: Int(address - entry.start) / pageByteCount + pageCount, pageCount: count)
    guard record.isDedicated ? state.dedicatedPages.take(run) : state.generalPages.take(run) else { return false }
    record.lastUse = state.round
    return true
  }

  private func putBack(_ address: UInt, _ pageCount: Int, _ state: inout State) {
    guard let entry = directory.withLock({ $0.find(address) }), let record = state.segments[entry.segmentIndex] else {
      preconditionFailure("freed pages that belong to no segment of this arena")
    }
    let run = PageRun(
      segment: entry.segmentIndex, firstPage: Int(address - entry.start) / pageByteCount, pageCount: pageCount)
    if record.isDedicated { state.dedicatedPages.insert(run) } else { state.generalPages.insert(run) }
  }

  /// Adds a segment with at least `pageCount` pages.
  private func grow(by pageCount: Int, _ state: inout State) throws(ArenaError) {
    let requested = pageCount * pageByteCount
    let room = max(0, byteLimit - state.mappedByteCount) / pageByteCount * pageByteCount
    guard requested <= room else {
      throw .limitReached(byteLimit: byteLimit, mapped: state.mappedByteCount, requested: requested)
    }
    let doubling = min(max(state.mappedByteCount, firstSegmentByteCount), Self.largestGeneralSegmentByteCount)
    let isDedicated = requested > doubling
    let byteCount = isDedicated ? requested : min(doubling, room) / pageByteCount * pageByteCount
    let index = state.nextSegmentIndex
    let segment: Segment
    do {
      segment = try Segment.create(
        name: "\(name).\(index)", byteCount: byteCount, alignment: pageByteCount, in: place, options: options)
    } catch {
      throw .segment(error)
    }
    state.nextSegmentIndex += 1
    state.mappedByteCount += byteCount
    let pages = byteCount / pageByteCount
    state.segments[index] = Record(
      segment: segment, pageCount: pages, isDedicated: isDedicated, lastUse: state.round)
    state.changes.hasGrown = true
    hasChanges.store(true, ordering: .relaxed)
    directory.withLock { $0.insert(segment, index: index) }
    let run = PageRun(segment: index, firstPage: 0, pageCount: pages)
    if isDedicated { state.dedicatedPages.insert(run) } else { state.generalPages.insert(run) }
  }

  private func removeEmptySegments(_ state: inout State, where isWanted: (Record) -> Bool) {
    for (index, record) in state.segments where isWanted(record) {
      let whole = PageRun(segment: index, firstPage: 0, pageCount: record.pageCount)
      guard state.generalPages.remove(whole) || state.dedicatedPages.remove(whole) else { continue }
      directory.withLock { $0.remove(index: index) }
      state.segments[index] = nil
      state.mappedByteCount -= record.segment.byteCount
      state.changes.removed.append(record.segment)
      hasChanges.store(true, ordering: .relaxed)
    }
  }
}
