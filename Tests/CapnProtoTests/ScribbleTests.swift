import CapnProto
import Foundation
import Subprocess
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A message in memory that another process writes to while it is read: values may be wrong, but nothing outside is read,
/// nothing traps, and every walk ends.
@Suite struct ScribbleTests {
  /// Memory between pages that cannot be touched, so that a read outside ends the test's process.
  private struct SharedMemory {
    let bytes: UnsafeMutableRawBufferPointer

    init(file: String, byteCount: Int) throws {
      let page = sysconf(Int32(_SC_PAGESIZE))
      let size = (byteCount + page - 1) / page * page
      let descriptor = open(file, O_RDWR)
      try #require(descriptor >= 0)
      defer { close(descriptor) }
      let reserved = mmap(nil, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      let start = try #require(reserved) + page
      try #require(mmap(start, size, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0) == start)
      bytes = UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }
  }

  private struct Noise {
    var state: UInt64
    mutating func next() -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33)
    }
  }

  /// The words of a sound message, a page long, whose last word is in use: a read behind it leaves the mapping.
  private static func original() throws -> [UInt8] {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 4096))
    RoundTripTests.fill(message.root)
    let rest = 4096 - message.byteCount
    message.root.any.initData(byteCount: rest) { blob in for _ in 0..<rest { blob.append(UInt8(1)) } }
    let segment = message.segment(at: 0)
    return Array(segment) + [UInt8](repeating: 0, count: 4096 - segment.count)
  }

  /// Everything that there is to look at; errors are expected.
  private static func look(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    let limits = ReadLimits(traversalWords: 4096, nesting: 16, totalWords: .max)
    var seen = 0
    do {
      let message = try MessageSegments([bytes], limits: limits)
      let tree = try message.root(as: Tree.self)
      seen += try walk(tree, depth: 0)
    } catch is CapnProtoError {}
    seen += (try? canonicalizedByteCount(bytes, limits)) ?? 0
    seen += (try? copiedWordCount(bytes, limits)) ?? 0
    return seen
  }

  private static func canonicalizedByteCount(_ bytes: UnsafeRawBufferPointer, _ limits: ReadLimits) throws -> Int {
    let message = try MessageSegments([bytes], limits: limits)
    return try message.root(as: Tree.self).raw.canonicalized().count
  }

  private static func copiedWordCount(_ bytes: UnsafeRawBufferPointer, _ limits: ReadLimits) throws -> Int {
    let message = try MessageSegments([bytes], limits: limits)
    var copy = try MessageBuilder(Tree.self)
    copy.root.any.set(message.rootPointer)
    // What may be traversed, with a landing pad for each word at worst.
    #expect(copy.byteCount <= 8 * (4096 * 2 + 64))
    return try message.rootPointer.totalSize().wordCount
  }

  private static func walk(_ tree: Tree.Reader, depth: Int) throws -> Int {
    #expect(depth <= 16)
    var seen = 1 + Int(tree.id & 1)
    seen += (try? tree.name.utf8.count) ?? 0
    seen += (try? tree.blob.byteCount) ?? 0
    if let texts = try? tree.texts { for index in texts.indices { seen += (try? texts[index].utf8.count) ?? 0 } }
    if let numbers = try? tree.numbers { for index in numbers.indices { seen += Int(numbers[index] & 1) } }
    if let bits = try? tree.bits { for index in bits.indices { seen += bits[index] ? 1 : 0 } }
    if let kids = try? tree.kids { for index in kids.indices { seen += try walk(kids[index], depth: depth + 1) } }
    return seen
  }

  @Test("a message that another process scribbles over ends every walk, with values or an error")
  func scribbling() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-scribble-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let original = try Self.original()
    var noise = Noise(state: 42)
    for index in 0..<16 {
      var bytes = original
      for _ in 0..<(1 << (index % 8)) { bytes[noise.next() % bytes.count] = UInt8(truncatingIfNeeded: noise.next()) }
      try Data(bytes).write(to: directory.appending(path: "noise\(index)"))
    }
    let file = directory.appending(path: "message").path()
    try Data(original).write(to: directory.appending(path: "message"))
    let memory = try SharedMemory(file: file, byteCount: original.count)
    let region = UnsafeRawBufferPointer(memory.bytes)
    #expect(try Self.look(region) > 1000)
    let script = "while :; do for f in noise*; do cat $f 1<>message; done; done"
    let seen = try await run(
      .path("/bin/sh"), arguments: ["-c", script], workingDirectory: .init(directory.path()), input: .none,
      output: .discarded, error: .discarded
    ) { execution in
      // Until the other process has written at all, and then as often as that takes little.
      while region.elementsEqual(original) { await Task.yield() }
      var seen = 0
      for _ in 0..<3000 { seen += try Self.look(region) }
      try execution.send(signal: .kill)
      return seen
    }
    #expect(seen.closureResult > 0)
  }
}
