import CapnProto

/// Takes messages out of any bytes at all: what comes must not depend on how the bytes come.
enum StreamTarget {
  /// What came of a stream: each message's content, and how it ended.
  private struct Outcome: Equatable {
    var messages: [Content] = []
    var error: CapnProtoError.Kind?
  }

  /// A message in canonical form, or what stands against that.
  private enum Content: Equatable {
    case canonical([UInt8])
    case error(CapnProtoError.Kind)
  }

  private static let limits = ReadLimits(traversalWords: 1 << 12, nesting: 16, segmentCount: 8, totalWords: 1 << 10)

  /// An empty message takes 8 bytes: a few messages find as much as many, and sooner.
  private static let messageLimit = 4

  static func run(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 5 else { return }
    let encoding: StreamEncoding = input[0] & 1 == 0 ? .plain : .packed
    var pieces = Pieces(seed: input.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
    let bytes = Array(input.dropFirst(5))
    let whole = decode(bytes, encoding) { bytes.count }
    let cut = decode(bytes, encoding) { pieces.next(upTo: 24) }
    precondition(whole == cut, "a stream in pieces reads otherwise")
    let pulled = pull(bytes, encoding, &pieces)
    precondition(whole.messages == pulled.messages, "a stream that is pulled reads otherwise")
    precondition((whole.error == nil) == (pulled.error == nil), "a stream that is pulled ends otherwise")
    if encoding == .plain { compareWithOneShot(bytes, whole) }
  }

  private static func decode(_ bytes: [UInt8], _ encoding: StreamEncoding, _ size: () -> Int) -> Outcome {
    var decoder = StreamDecoder(Tree.self, encoding: encoding, limits: limits)
    var outcome = Outcome()
    var offset = 0
    do {
      while offset < bytes.count {
        let end = min(offset + size(), bytes.count)
        let piece = Array(bytes[offset..<end])
        var rest = piece.span.bytes
        while let message = try decoder.next(from: &rest) {
          outcome.messages.append(content(of: message))
          if outcome.messages.count == messageLimit { return outcome }
        }
        precondition(rest.byteCount == 0, "input is left, and no message came")
        offset = end
      }
      try decoder.finish()
      precondition(decoder.isBetweenMessages)
    } catch {
      outcome.error = error.kind
    }
    return outcome
  }

  private static func pull(_ bytes: [UInt8], _ encoding: StreamEncoding, _ pieces: inout Pieces) -> Outcome {
    var reader = StreamReader(Tree.self, encoding: encoding, limits: limits, bufferByteCount: 40)
    var outcome = Outcome()
    var rest = bytes[...]
    do {
      while true {
        let message = try reader.next { buffer in
          let piece = rest.prefix(min(pieces.next(upTo: 50), buffer.byteCount))
          for (index, byte) in piece.enumerated() { buffer.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
          rest = rest.dropFirst(piece.count)
          return piece.count
        }
        guard let message else { break }
        outcome.messages.append(content(of: message))
        if outcome.messages.count == messageLimit { return outcome }
      }
    } catch {
      guard let error = error as? CapnProtoError else { fatalError("\(error)") }
      outcome.error = error.kind
    }
    return outcome
  }

  /// Without a decoder, message by message where they stand.
  private static func compareWithOneShot(_ bytes: [UInt8], _ expected: Outcome) {
    // The array's storage is aligned to 16.
    var rest = bytes.span.bytes
    var count = 0
    do {
      while rest.byteCount > 0, count < messageLimit {
        let view = try MessageView(Tree.self, prefixOf: &rest, limits: limits)
        precondition(count < expected.messages.count, "a message that the decoder did not find")
        let found = content { () throws(CapnProtoError) in try view.root.raw.canonicalized() }
        precondition(found == expected.messages[count], "a message that the decoder read otherwise")
        count += 1
      }
      precondition(expected.error == nil || count == messageLimit, "an error that only the decoder found")
    } catch {
      precondition(expected.error != nil, "an error that the decoder did not find")
    }
    precondition(count == expected.messages.count, "a message that only the decoder found")
  }

  private static func content(of message: borrowing MessageReader<Tree>) -> Content {
    content { () throws(CapnProtoError) in try message.root.raw.canonicalized() }
  }

  private static func content(_ canonicalize: () throws(CapnProtoError) -> [UInt8]) -> Content {
    do { return .canonical(try canonicalize()) } catch { return .error(error.kind) }
  }

  static func seeds() throws -> [[UInt8]] {
    var seeds: [[UInt8]] = []
    for (byteCount, parts) in [(8192, 0), (512, 3), (256, 7)] {
      var message = try MessageBuilder(Tree.self, allocator: SmallSegmentAllocator(byteCount: byteCount))
      ReaderTarget.fill(message.root, parts)
      let (plain, packed) = (try message.serialized(), try message.packed())
      seeds.append([0, 1, 2, 3, 4] + plain)
      seeds.append([0, 1, 2, 3, 4] + plain + plain)
      seeds.append([1, 4, 3, 2, 1] + packed)
      seeds.append([1, 4, 3, 2, 1] + packed + packed)
    }
    return seeds
  }
}
