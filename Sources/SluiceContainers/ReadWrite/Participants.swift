import SluiceSystem
import Synchronization

/// Who uses a read-write arena, so that what somebody held can be taken over when they are dead, and only then.
///
/// A participant is a place in this table and an *incarnation*, which counts who had the place before. It holds a lock on the
/// byte of its place, as long as it lives: the kernel lets go of it however the process ends. Only a child that it forked could
/// keep that lock, since it inherits the open file; so the process is written down too, and asked for.
///
/// | offset in the arena | size | field |
/// |---|---|---|
/// | 0 | 16 | header of the arena |
/// | 64 | 32 each | 64 participants: incarnation (4), pid (4), start time (8), pid namespace (8), zero (8) |
@safe
struct Participants: Sendable {
  /// How many processes may use an arena at once.
  static let limit = 64
  private static let tableOffset = 64
  private static let entryByteCount = 32
  private static let incarnationMask: UInt32 = 0xff_ffff

  /// A participant in a word: the place in the low 6 bits, the incarnation, which is never 0, in the 24 above.
  struct ID: Hashable, Sendable {
    static let mask: UInt32 = 0x3fff_ffff
    let bits: UInt32

    var place: Int { Int(bits & 63) }
    var incarnation: UInt32 { bits >> 6 }
  }

  private let segment: ReadWriteSegment
  private let process: ProcessIdentity
  /// This participant.
  let own: ID

  /// Takes a free place.
  init(joining segment: ReadWriteSegment) throws(ReadWriteError) {
    self.segment = segment
    do {
      process = try ProcessIdentity.current()
      for place in 0..<Self.limit where try segment.tryLock(byte: place) {
        // Whoever had the place is dead: its lock was free. What it held is recognised by the incarnation, so the process
        // is written first. Were this process killed in between, its lock would be free again.
        let entry = Self.tableOffset + place * Self.entryByteCount
        // Sound: the table lies in the first page.
        unsafe segment.baseAddress.storeBytes(of: process.pid, toByteOffset: entry + 4, as: Int32.self)
        unsafe segment.baseAddress.storeBytes(of: process.startTime, toByteOffset: entry + 8, as: UInt64.self)
        unsafe segment.baseAddress.storeBytes(of: process.namespace, toByteOffset: entry + 16, as: UInt64.self)
        let incarnation = unsafe Self.incarnation(segment, place)
        let next = max(1, unsafe (incarnation.pointee.load(ordering: .relaxed) &+ 1) & Self.incarnationMask)
        unsafe incarnation.pointee.store(next, ordering: .sequentiallyConsistent)
        own = ID(bits: next << 6 | UInt32(place))
        return
      }
    } catch {
      throw .system(error)
    }
    throw .tooManyParticipants(limit: Self.limit)
  }

  /// Whether it is certain that the participant is dead, or has left. Two system calls, or some more.
  func isGone(_ id: ID) throws(ReadWriteError) -> Bool {
    if id == own { return false }
    // Sound: the place is below 64, whatever stands in the word.
    let incarnation = unsafe Self.incarnation(segment, id.place)
    guard unsafe incarnation.pointee.load(ordering: .sequentiallyConsistent) & Self.incarnationMask == id.incarnation
    else { return true }
    if id.place != own.place {
      do { guard try segment.isLockedByOther(byte: id.place) else { return true } } catch { throw .system(error) }
    } else {
      return true  // this process has that place now
    }
    let entry = Self.tableOffset + id.place * Self.entryByteCount
    let holder = unsafe ProcessIdentity(
      pid: segment.baseAddress.load(fromByteOffset: entry + 4, as: Int32.self),
      startTime: segment.baseAddress.load(fromByteOffset: entry + 8, as: UInt64.self),
      namespace: segment.baseAddress.load(fromByteOffset: entry + 16, as: UInt64.self))
    return holder.isProvenDead(to: process)
  }

  @unsafe private static func incarnation(_ segment: ReadWriteSegment, _ place: Int) -> UnsafeMutablePointer<
    Atomic<UInt32>
  > {
    unsafe (segment.baseAddress + tableOffset + place * entryByteCount).assumingMemoryBound(to: Atomic<UInt32>.self)
  }
}
