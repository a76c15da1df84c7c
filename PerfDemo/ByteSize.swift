/// A payload's size, as people write it: `100kB`, `1.5 MB`, `64MiB`.
///
/// Decimal units (`kB`, `MB`, `GB`) are powers of 1000 and binary units (`KiB`, `MiB`, `GiB`) are powers of 1024, as in
/// IEC 80000-13. Letter case does not matter (`KB` is `kB`), and a number without a unit counts bytes.
struct ByteSize: Hashable, Comparable, Sendable {
  let byteCount: Int

  init(byteCount: Int) { self.byteCount = byteCount }

  /// The largest size that can be written: 1000 GB.
  static let limit = ByteSize(byteCount: 1_000_000_000_000)

  private static let units: [(name: String, byteCount: Int)] = [
    ("", 1), ("b", 1), ("kb", 1000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("kib", 1 << 10), ("mib", 1 << 20),
    ("gib", 1 << 30),
  ]

  /// Reads one size.
  ///
  /// - Throws: `DemoError.badSize` when it is not a positive number of whole bytes up to ``limit``.
  init(parsing text: String) throws(DemoError) {
    let trimmed = text.trimmingPrefix { $0 == " " }
    let number = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unitName = trimmed.dropFirst(number.count).filter { $0 != " " }.lowercased()
    guard !number.isEmpty else { throw DemoError.badSize(text, reason: "it does not begin with a number") }
    guard let unit = Self.units.first(where: { $0.name == unitName }) else {
      throw DemoError.badSize(text, reason: "the units are B, kB, MB, GB, KiB, MiB and GiB")
    }
    guard let value = Double(number), value > 0, value.isFinite else {
      throw DemoError.badSize(text, reason: "it is not a positive number")
    }
    let bytes = value * Double(unit.byteCount)
    guard bytes <= Double(Self.limit.byteCount) else {
      throw DemoError.badSize(text, reason: "the limit is \(Self.limit)")
    }
    guard bytes == bytes.rounded() else { throw DemoError.badSize(text, reason: "it is not a whole number of bytes") }
    byteCount = Int(bytes)
  }

  /// Reads a list of sizes, separated by commas, in the order given.
  ///
  /// - Throws: `DemoError.badSize` for the first entry that is no size, or comes twice.
  static func list(parsing text: String) throws(DemoError) -> [ByteSize] {
    var sizes: [ByteSize] = []
    for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
      let size = try ByteSize(parsing: String(entry))
      guard !sizes.contains(size) else { throw DemoError.badSize(String(entry), reason: "it comes twice") }
      sizes.append(size)
    }
    return sizes
  }

  static func < (left: ByteSize, right: ByteSize) -> Bool { left.byteCount < right.byteCount }
}

extension ByteSize: CustomStringConvertible {
  /// The size in decimal units, to three significant digits: `100 kB`, `67.1 MB`.
  var description: String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)]
    for (name, unit) in units where byteCount >= unit {
      return "\(Figures.threeDigits(Double(byteCount) / Double(unit))) \(name)"
    }
    return "\(byteCount) B"
  }

  /// The size without a space, as a part of a file's name: `100kB`.
  var fileNamePart: String { description.filter { $0 != " " } }
}
