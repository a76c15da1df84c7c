import SluiceContainers
import SluiceSystem

extension Session {
  /// Whether both ends ask for memory that both write to: ``SessionOptions/readWriteArenas``.
  public var allowsReadWriteArenas: Bool { core.parts.readWriteArenas }

  /// Makes memory that both ends write to. Pass its ``ReadWriteArena/handle`` with a message, so that the other end can join
  /// it, and the offsets of what is allocated in it. It lives as long as somebody holds it, also beyond the session.
  ///
  /// - Throws: ``SessionError/readWriteNotAgreed``, ``SessionError/readWrite(_:)``.
  public func makeReadWriteArena(byteCount: Int) throws(SessionError) -> ReadWriteArena {
    guard allowsReadWriteArenas else { throw .readWriteNotAgreed }
    let number = core.nextReadWriteNumber()
    let role = "\(core.parts.role.rawValue)-shared"
    let name = SessionAssembly.segmentName(core.parts.server, core.parts.name, role) + ".\(number)"
    let arena: ReadWriteArena
    do { arena = try ReadWriteArena(name: name, byteCount: byteCount) } catch { throw .readWrite(error) }
    core.list(arena, isBorrowed: false)
    return arena
  }

  /// Joins memory that the other end has made, by the handle that came with a message.
  ///
  /// - Throws: ``SessionError/readWriteNotAgreed``, ``SessionError/readWrite(_:)``.
  public func joinReadWriteArena(_ handle: Handle) throws(SessionError) -> ReadWriteArena {
    guard allowsReadWriteArenas else { throw .readWriteNotAgreed }
    let arena: ReadWriteArena
    do { arena = try ReadWriteArena(joining: handle) } catch { throw .readWrite(error) }
    core.list(arena, isBorrowed: true)
    return arena
  }
}

/// The memory of a session that both ends write to, as far as somebody holds it.
struct ReadWriteSegments: Sendable {
  private struct Entry: Sendable {
    weak var arena: ReadWriteArena?
    let isBorrowed: Bool
  }

  private var entries: [Entry] = []
  private var lastNumber = -1

  mutating func nextNumber() -> Int {
    lastNumber += 1
    return lastNumber
  }

  mutating func add(_ arena: ReadWriteArena, isBorrowed: Bool) {
    entries.removeAll { $0.arena == nil }
    entries.append(Entry(arena: arena, isBorrowed: isBorrowed))
  }

  var infos: [SegmentInfo] {
    entries.compactMap { entry in
      entry.arena.map {
        SegmentInfo(
          name: $0.segment.name, scope: .session, byteCount: $0.byteCount, isBorrowed: entry.isBorrowed,
          isReadWrite: true)
      }
    }
  }
}

extension SessionCore {
  func nextReadWriteNumber() -> Int { readWrite.withLock { $0.nextNumber() } }

  func list(_ arena: ReadWriteArena, isBorrowed: Bool) {
    readWrite.withLock { $0.add(arena, isBorrowed: isBorrowed) }
  }

  var readWriteSegments: [SegmentInfo] { readWrite.withLock { $0.infos } }
}
