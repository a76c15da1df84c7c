import SluiceSystem

/// Where an allocation stands: what an envelope says of it.
public struct SegmentLocation: Sendable {
  /// The segment, which stays mapped as long as this value lives.
  public let segment: Segment
  /// The segment's number in its arena: given once, never to another segment.
  public let segmentIndex: Int
  /// Bytes from the start of the segment.
  public let offset: Int
}

/// Which segment an address lies in: a sorted array, searched in logarithmic time.
struct SegmentDirectory {
  struct Entry {
    let start: UInt
    let segmentIndex: Int
    let segment: Segment

    var end: UInt { start + UInt(segment.byteCount) }
  }

  /// By address.
  private(set) var entries: [Entry] = []

  mutating func insert(_ segment: Segment, index: Int) {
    let start = unsafe UInt(bitPattern: segment.baseAddress)
    entries.insert(Entry(start: start, segmentIndex: index, segment: segment), at: firstIndex(above: start))
  }

  mutating func remove(index: Int) {
    entries.removeAll { $0.segmentIndex == index }
  }

  func find(_ address: UInt) -> Entry? {
    let above = firstIndex(above: address)
    guard above > 0, address < entries[above - 1].end else { return nil }
    return entries[above - 1]
  }

  /// The index of the first segment that starts above `address`.
  private func firstIndex(above address: UInt) -> Int {
    partitionPoint(entries.count) { entries[$0].start <= address }
  }
}
