import SluiceContainers

/// A container of all kinds of containers, beside the plain Swift values that it is built of.
struct Catalog: Equatable {
  /// An entry: numbers, then texts, of which each can be missing.
  struct Entry: Equatable {
    var numbers: [Int32]
    var texts: [String?]
  }
  var entries: [String: Entry] = [:]
  var quotes: [UInt64: Quote] = [:]

  typealias Texts = SharedList<SharedPointer<SharedString>>
  typealias Entries = SharedDictionary<SharedString, SharedPair<SharedArray<Int32>, Texts>>
  typealias Stored = SharedPair<Entries, SharedDictionary<UInt64, Quote>>

  init() {}

  init(random generator: inout some RandomNumberGenerator, size: Int) {
    for _ in 0..<Int.random(in: 0...size, using: &generator) {
      let name = String(Int.random(in: 0...50, using: &generator), radix: 2) + String(repeating: "ž", count: size / 3)
      let numbers = (0..<Int.random(in: 0...size, using: &generator)).map { _ in
        Int32.random(in: .min ... .max, using: &generator)
      }
      let texts = (0..<Int.random(in: 0...size, using: &generator)).map { index in
        Bool.random(using: &generator) ? "text \(index)" : nil
      }
      entries[name] = Entry(numbers: numbers, texts: texts)
      quotes[.random(in: .min ... .max, using: &generator)] = Quote(
        price: .random(in: 0...1, using: &generator), volume: .random(in: 0...9, using: &generator))
    }
  }

  func write(in builder: inout SharedBuilder) throws -> SharedReference<Stored> {
    var pairs: [(String, SharedPairSource<SharedReference<SharedArray<Int32>>, SharedReference<Texts>>)] = []
    for (name, entry) in entries {
      var list = SharedListBuilder(of: SharedPointer<SharedString>.self)
      for text in entry.texts { try list.append(text, in: &builder) }
      pairs.append((name, SharedPairSource(try builder.write(entry.numbers), try list.write(in: &builder))))
    }
    let stored = try builder.writeDictionary(pairs)
    return try builder.write(SharedPairSource(stored, quotes))
  }

  /// Reads everything that there is, by all ways that there are.
  init(reading bytes: RawSpan, byteLimit: Int? = nil) throws {
    let root = try openShared(bytes, as: Stored.self, byteLimit: byteLimit)
    let entries = try root.first
    let (keys, values) = (entries.keys, entries.values)
    for index in keys.indices {
      let name = try keys[index].string
      let pair = try values[index]
      let (numbers, texts) = (try pair.first, try pair.second)
      var entry = Entry(numbers: numbers.copy(), texts: [])
      try texts.forEach { pointer in
        if let text = try pointer.pointee { entry.texts.append(try text.string) } else { entry.texts.append(nil) }
      }
      self.entries[name] = entry
      _ = try entries.index(of: name)
    }
    let quotes = try root.second
    let (ids, all) = (quotes.keys, quotes.values)
    for index in ids.indices {
      let id = ids[index]
      if let quote = try quotes[id] { self.quotes[id] = quote } else { self.quotes[id] = all[index] }
    }
  }
}
