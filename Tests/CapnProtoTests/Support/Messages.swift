import CapnProto

/// Aligned memory that holds the segments of a message while a test looks at it. Shared between threads on purpose, as
/// memory is shared between processes.
final class SegmentMemory: @unchecked Sendable {
  let segments: [UnsafeMutableRawBufferPointer]

  init(_ segments: [[UInt64]]) {
    self.segments = segments.map { words in
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: words.count * 8, alignment: 8)
      words.withUnsafeBytes { memory.copyMemory(from: $0) }
      return memory
    }
  }

  deinit {
    for segment in segments { segment.deallocate() }
  }

  /// The segments as a message.
  func message(_ limits: ReadLimits = .stream) throws(CapnProtoError) -> MessageSegments {
    try MessageSegments(segments.map { UnsafeRawBufferPointer($0) }, limits: limits)
  }
}

/// Calls `body` with a message of `segments`.
func withMessage<Result>(
  _ segments: [UInt64]..., limits: ReadLimits = .stream, _ body: (borrowing MessageSegments) throws -> Result
) throws -> Result {
  let memory = SegmentMemory(segments)
  return try withExtendedLifetime(memory) {
    let message = try memory.message(limits)
    return try body(message)
  }
}

/// The words of a message's segments.
func words<Root>(of message: borrowing MessageBuilder<Root>) -> [[UInt64]] {
  var segments: [[UInt64]] = []
  for index in 0..<message.segmentCount {
    let segment = message.segment(at: index)
    segments.append((0..<segment.count / 8).map { segment.load(fromByteOffset: $0 * 8, as: UInt64.self) })
  }
  return segments
}

/// The pointer to a struct `offset` words behind the pointer's end.
func structPointer(offset: Int, data: UInt16, pointers: UInt16) -> UInt64 {
  UInt64(UInt32(truncatingIfNeeded: offset << 2)) | UInt64(data) << 32 | UInt64(pointers) << 48
}

/// The pointer to a list `offset` words behind the pointer's end. For struct lists `count` is in words.
func listPointer(offset: Int, _ size: ElementSize, count: Int) -> UInt64 {
  UInt64(UInt32(truncatingIfNeeded: offset << 2)) | 1 | UInt64(size.rawValue) << 32 | UInt64(count) << 35
}

/// The pointer to a landing pad.
func farPointer(segment: UInt32, wordOffset: Int, isDouble: Bool = false) -> UInt64 {
  UInt64(wordOffset << 3) | (isDouble ? 6 : 2) | UInt64(segment) << 32
}

/// A word with the bytes of `text`.
func bytes(_ text: String) -> UInt64 {
  var word: UInt64 = 0
  for (index, byte) in text.utf8.enumerated() { word |= UInt64(byte) << UInt64(8 * index) }
  return word
}

extension RawSpan {
  /// A copy of the bytes.
  var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}

/// A message as an untyped struct.
enum AnyStruct: StructSchema {
  typealias Reader = RawStructReader
  typealias Builder = RawBuilder
  static let typeID: UInt64 = 0
  static let typeName = "AnyStruct"
  static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }
  static let size = StructSize(dataWords: 2, pointers: 2)

  struct RawBuilder: StructBuilder, ~Escapable {
    static var size: StructSize { AnyStruct.size }
    let raw: RawStructBuilder
    @_lifetime(copy raw) init(_ raw: RawStructBuilder) { self.raw = raw }
  }
}
