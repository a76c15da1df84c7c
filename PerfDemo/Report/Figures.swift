/// Numbers as people read them.
enum Figures {
  /// A positive number to three significant digits, without trailing zeros after the point: `98.3`, `1.5`, `480`, `1200`.
  static func threeDigits(_ value: Double) -> String {
    var decimals = 2
    var bound = 9.995
    while decimals > 0, value >= bound {
      decimals -= 1
      bound *= 10
    }
    let scale = [1.0, 10.0, 100.0][decimals]
    let scaled = Int((value * scale).rounded())
    let (whole, fraction) = scaled.quotientAndRemainder(dividingBy: Int(scale))
    guard fraction != 0 else { return "\(whole)" }
    var digits = "\(fraction)"
    digits = String(repeating: "0", count: decimals - digits.count) + digits
    while digits.hasSuffix("0") { digits.removeLast() }
    return "\(whole).\(digits)"
  }

  /// A time in the unit that keeps its number short: `850 ns`, `98.3 us`, `46 ms`, `1.02 s`.
  static func duration(nanoseconds: UInt64) -> String {
    let units = [("s", 1e9), ("ms", 1e6), ("us", 1e3)]
    for (name, unit) in units where Double(nanoseconds) >= unit * 0.9995 {
      return "\(threeDigits(Double(nanoseconds) / unit)) \(name)"
    }
    return "\(nanoseconds) ns"
  }

  /// How many times larger one number is than another: `4900 x`.
  static func ratio(_ numerator: UInt64, to denominator: UInt64) -> String {
    guard denominator > 0 else { return "-" }
    return "\(threeDigits(Double(numerator) / Double(denominator))) x"
  }
}
