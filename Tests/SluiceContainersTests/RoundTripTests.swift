import CapnProto
import SluiceContainers
import Testing

/// What is written is what is read.
@Suite struct RoundTripTests {
  @Test func `an array of numbers is read by index, as a span and as a copy`() throws {
    let bytes = try image(of: [1.5, -2, .infinity])
    let array = try openShared(bytes.span.bytes, as: SharedArray<Double>.self)
    let (count, first, last) = (array.count, array[0], array[2])
    #expect(count == 3 && first == 1.5 && last == .infinity)
    let span = try array.span
    let middle = span[1]
    #expect(middle == -2)
    let copy = array.copy()
    #expect(copy == [1.5, -2, .infinity])
  }

  @Test func `plain literals are stored with a fixed width`() throws {
    let numbers = try image(of: [1, 2, 3])
    let array = try openShared(numbers.span.bytes, as: SharedArray<Int64>.self)
    let copy = array.copy()
    #expect(copy == [1, 2, 3])
    let flags = try image(of: [true, false])
    let bools = try openShared(flags.span.bytes, as: SharedArray<SharedBool>.self)
    let values = bools.copy().map(\.value)
    #expect(values == [true, false])
  }

  @Test func `a dictionary of arrays is read by its keys and in its order`() throws {
    let prices = ["ACME": [10.5, 11.25], "Žluťoučký kůň": [], "": [1]]
    let bytes = try image(of: prices)
    let dictionary = try openShared(bytes.span.bytes, as: SharedDictionary<SharedString, SharedArray<Double>>.self)
    for (name, expected) in prices {
      var found: [Double]?
      if let series = try dictionary[name] { found = series.copy() }
      #expect(found == expected)
    }
    let isMissing = try dictionary["nobody"] == nil
    #expect(isMissing)
    var all: [String: [Double]] = [:]
    let (keys, values) = (dictionary.keys, dictionary.values)
    for index in keys.indices {
      let series = try values[index]
      all[try keys[index].string] = series.copy()
    }
    #expect(all == prices)
  }

  @Test func `a program's own struct and vectors stand side by side`() throws {
    let quotes = [Quote(price: 1.25, volume: 7), Quote(price: 2.5, volume: -1)]
    let bytes = try image(of: quotes)
    let array = try openShared(bytes.span.bytes, as: SharedArray<Quote>.self)
    let copy = array.copy()
    #expect(copy == quotes)

    let vectors = [SIMD4<Float>(1, 2, 3, 4), SIMD4<Float>(5, 6, 7, 8)]
    try withUnsafeTemporaryAllocation(byteCount: 512, alignment: 64) { memory in
      // At each address that a blob may begin at, vectors stand aligned.
      for shift in stride(from: 0, to: 64, by: 8) {
        memory.initializeMemory(as: UInt8.self, repeating: 0xaa)
        let room = UnsafeMutableRawBufferPointer(rebasing: memory[shift..<shift + 300])
        var output = OutputRawSpan(buffer: room, initializedCount: 0)
        try output.appendShared { builder in try builder.write(vectors) }
        let count = output.finalize(for: room)
        let blob = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: room[..<count]))
        let read = try openShared(blob, as: SharedArray<SIMD4<Float>>.self)
        let span = try read.span
        let (first, second) = (span[0], span[1])
        #expect(first == vectors[0] && second == vectors[1])
        // No byte that nobody wrote.
        #expect(!room[..<count].contains(0xaa))
      }
    }
  }

  @Test func `a moved container is read element by element even where a span would be misaligned`() throws {
    let bytes = try image(of: [SIMD4<Float>(1, 2, 3, 4)])
    try withUnsafeTemporaryAllocation(byteCount: bytes.count + 64, alignment: 64) { memory in
      for shift in [0, 8, 16, 24] {
        UnsafeMutableRawBufferPointer(rebasing: memory[shift...]).copyBytes(from: bytes)
        let blob = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[shift..<shift + bytes.count]))
        let array = try openShared(blob, as: SharedArray<SIMD4<Float>>.self)
        let first = array[0]
        #expect(first == SIMD4(1, 2, 3, 4))
      }
      let blob = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[24..<24 + bytes.count]))
      let array = try openShared(blob, as: SharedArray<SIMD4<Float>>.self)
      #expect(throws: SharedError.self) { _ = try array.span }
    }
  }

  @Test func `pointers share what they lead to`() throws {
    let long = String(repeating: "long ", count: 1000)
    let bytes = try image(capacity: 8192) { builder in
      let text = try builder.write(long)
      let pointers = [text.pointer, text.pointer, text.pointer]
      return try builder.write(pointers)
    }
    #expect(bytes.count < 2 * long.utf8.count)
    let array = try openShared(bytes.span.bytes, as: SharedArray<SharedPointer<SharedString>>.self)
    for index in array.indices {
      let pointer = try array[index]
      guard let text = try pointer.pointee else {
        Issue.record("nil")
        continue
      }
      let isSame = text.isEqual(to: long)
      #expect(isSame)
    }
  }

  @Test func `a list grows between other things`() throws {
    let bytes = try image(capacity: 1 << 20) { builder in
      var list = SharedListBuilder(of: SharedPair<SharedString, SharedArray<Int32>>.self)
      for number in 0..<3000 as Range<Int32> {
        let array = try builder.write([number, -number])
        try list.append(SharedPairSource("\(number)", array), in: &builder)
      }
      return try list.write(in: &builder)
    }
    let list = try openShared(bytes.span.bytes, as: SharedList<SharedPair<SharedString, SharedArray<Int32>>>.self)
    var expected: Int32 = 0
    try list.forEach { pair in
      let (name, numbers) = (try pair.first, try pair.second)
      let (text, copy) = (try name.string, numbers.copy())
      #expect(text == "\(expected)" && copy == [expected, -expected])
      expected += 1
    }
    #expect(expected == 3000)
  }

  @Test func `an array is filled in place, and has as many elements as were written`() throws {
    let bytes = try image(capacity: 1 << 16) { builder in
      try builder.writeArray(of: UInt16.self, count: 10_000) { output in
        for number in 0..<5 as Range<UInt16> { output.append(number) }
      }
    }
    #expect(bytes.count < 200)
    let array = try openShared(bytes.span.bytes, as: SharedArray<UInt16>.self)
    let copy = array.copy()
    #expect(copy == [0, 1, 2, 3, 4])
  }

  @Test func `empty containers are read as such`() throws {
    let bytes = try image(of: [[String: [Int]]()])
    let array = try openShared(
      bytes.span.bytes, as: SharedArray<SharedDictionary<SharedString, SharedArray<Int64>>>.self)
    let dictionary = try array[0]
    let (isEmpty, isMissing) = (dictionary.isEmpty, try dictionary["x"] == nil)
    #expect(isEmpty && isMissing)
    let nothing = try image(of: Int?.none)
    let pointer = try openShared(nothing.span.bytes, as: SharedPointer<Int64>.self)
    let (isNil, pointee) = (pointer.isNil, try pointer.pointee)
    #expect(isNil && pointee == nil)
    let text = try image(of: "")
    let string = try openShared(text.span.bytes, as: SharedString.self).string
    #expect(string == "")
  }

  @Test func `a message holds a container, and is read where it is`() throws {
    typealias Prices = SharedRoot<SharedDictionary<UInt32, SharedArray<Double>>>
    var message = try MessageBuilder(Prices.self)
    try message.root.set([7 as UInt32: [1.5, 2.5]])
    let received = try MessageReader(Prices.self, stream: message.serialized())
    let root = try received.root
    let prices = try root.value
    var found: [Double]?
    if let series = try prices[7] { found = series.copy() }
    #expect(found == [1.5, 2.5])
  }

  // MARK: Refusals

  @Test func `a container of another type is refused by name`() throws {
    let bytes = try image(of: [1.5])
    #expect {
      _ = try openShared(bytes.span.bytes, as: SharedArray<Int64>.self)
    } throws: { error in
      guard case SharedError.wrongType(expected: "array<i64>", _, _) = error else { return false }
      return true
    }
    let noise: [UInt8] = [1, 2, 3, 4]
    #expect(throws: SharedError.notAContainer(byteCount: 4)) {
      _ = try openShared(noise.span.bytes, as: SharedArray<Int64>.self)
    }
  }

  @Test func `what does not fit is refused with the room that was there`() throws {
    #expect {
      _ = try image(capacity: 512) { builder in try builder.write([Double](repeating: 1, count: 1000)) }
    } throws: { error in
      guard case SharedError.outOfRoom(let byteCount, capacity: 512) = error else { return false }
      return byteCount > 8000
    }
    for capacity in 0..<100 {
      #expect(throws: SharedError.self) {
        _ = try image(capacity: capacity) { builder in try builder.write([1, 2, 3, 4, 5, 6]) }
      }
    }
    #expect {
      _ = try sharedByteCount(of: Array(repeating: [UInt64](repeating: 0, count: 1 << 20), count: 64))
    } throws: { error in
      guard case SharedError.tooLarge(_, limit: SharedRegion.byteLimit) = error else { return false }
      return true
    }
  }

  @Test func `a key that occurs twice is refused with its index`() throws {
    #expect(throws: SharedError.duplicateKey(index: 2)) {
      _ = try image(capacity: 4096) { builder in
        try builder.writeDictionary([("a", 1), ("b", 2), ("a", 3)])
      }
    }
  }

  @Test func `a reference of another builder is refused`() throws {
    #expect(throws: SharedError.foreignReference) {
      var stolen: SharedReference<SharedString>?
      _ = try image(capacity: 256) { builder in
        let reference = try builder.write("mine")
        stolen = reference
        return reference
      }
      let foreign = try #require(stolen)
      _ = try image(capacity: 256) { builder in try builder.write([foreign]) }
    }
  }
}
