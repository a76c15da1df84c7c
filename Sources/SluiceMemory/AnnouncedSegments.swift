import SluiceSystem

/// Which segments a borrower was told of, and under which ids. A value: no I/O, clock or lock.
struct AnnouncedSegments {
  private struct Entry {
    /// Kept, so that its identity is not given to another.
    let segment: Segment
    let id: UInt32
  }

  /// By the identity of their segments: looking one up so costs less than hashing it.
  private var entries: [Entry] = []
  /// Where the one was that was looked up last: most messages stand where the one before them stood.
  private var last = 0

  /// How many there are.
  var count: Int { entries.count }

  /// The id of a segment, if it was announced.
  mutating func id(of segment: Segment) -> UInt32? {
    if last < entries.count, entries[last].segment === segment { return entries[last].id }
    let place = place(of: segment)
    guard place < entries.count, entries[place].segment === segment else { return nil }
    last = place
    return entries[place].id
  }

  /// Books a segment that was not announced yet.
  mutating func insert(_ segment: Segment, id: UInt32) {
    entries.insert(Entry(segment: segment, id: id), at: place(of: segment))
  }

  /// Forgets a segment; its id, if it was announced.
  mutating func remove(_ segment: Segment) -> UInt32? {
    let place = place(of: segment)
    guard place < entries.count, entries[place].segment === segment else { return nil }
    return entries.remove(at: place).id
  }

  /// Where the segment stands, or would.
  private func place(of segment: Segment) -> Int {
    let identity = ObjectIdentifier(segment)
    return partitionPoint(entries.count) { ObjectIdentifier(entries[$0].segment) < identity }
  }
}
