import CapnProto
import Testing

/// A message that is built again in the memory it had.
@Suite struct ResetTests {
  @Test("a message built again after a reset has the same words in the same memory", arguments: [8, 64, 256, 8192])
  func same(segmentByteCount: Int) throws {
    let allocator = ExactAllocator(byteCount: segmentByteCount)
    var message = try MessageBuilder(Tree.self, allocator: allocator)
    RoundTripTests.fill(message.root)
    // No more memory: what follows lives on what there is.
    allocator.limit(to: 0)
    let first = try message.serialized()
    for _ in 0..<3 {
      message.reset()
      #expect(message.segmentCount == 1)
      #expect(message.byteCount == 8 + Tree.size.words * 8)
      #expect(words(of: message)[0].dropFirst().allSatisfy { $0 == 0 })
      RoundTripTests.fill(message.root)
      #expect(message.failure == nil)
      #expect(try message.serialized() == first)
    }
  }

  @Test("after a reset, segments are taken by their room, and further ones are obtained")
  func otherSizes() throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 128))
    for round in 0..<6 {
      let sizes = [[100, 2000, 50, 300, 700], [2000, 300], [5000], [300, 100, 100, 100, 100, 100, 100, 3000]][round % 4]
      do {
        let blobs = message.root.initBlobs(sizes.count)
        for (index, size) in sizes.enumerated() {
          blobs.setData([UInt8](repeating: UInt8(index + 1), count: size), at: index)
        }
      }
      #expect(message.failure == nil)
      let stream = try message.serialized()
      try MessageReader(Tree.self, stream: stream).read { root throws in
        let blobs = try root.blobs
        for (index, size) in sizes.enumerated() {
          #expect(try blobs[index].bytes == [UInt8](repeating: UInt8(index + 1), count: size))
        }
      }
      message.reset()
    }
  }

  @Test("a reset forgets a failure")
  func failure() throws {
    let allocator = ExactAllocator(byteCount: 256)
    var message = try MessageBuilder(Tree.self, allocator: allocator)
    allocator.limit(to: 0)
    message.root.setBlob([UInt8](repeating: 1, count: 1000))
    #expect(message.failure != nil)
    message.reset()
    #expect(message.failure == nil)
    message.root.name = "again"
    #expect(try message.read { try $0.name } == "again")
  }
}
