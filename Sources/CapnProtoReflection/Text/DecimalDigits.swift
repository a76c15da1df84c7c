/// The decimal form of floating-point numbers as libcapnp prints them: as C's `%.15g`, or `%.17g` where that does not give
/// the same number again (`%.6g` and `%.8g` for `Float32`), but without the plus sign of exponents.
enum DecimalForm {
  static func text(_ value: Double) -> String {
    special(value) ?? text(value.magnitude, isNegative: value.sign == .minus)
  }

  static func text(_ value: Float) -> String {
    if let text = special(Double(value)) { return text }
    let magnitude = value.magnitude
    let isNegative = value.sign == .minus
    let digits = DecimalDigits(shortest: magnitude.description)
    // What is subnormal is printed with 8 digits in any case.
    if magnitude.isNormal, digits.digits.count <= 6 { return digits.text(precision: 6, isNegative) }
    return DecimalDigits(Double(magnitude), count: 8).text(precision: 8, isNegative)
  }

  private static func special(_ value: Double) -> String? {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    if value == 0 { return value.sign == .minus ? "-0" : "0" }
    return nil
  }

  private static func text(_ magnitude: Double, isNegative: Bool) -> String {
    // A normal number that any 15 digits lead to has these digits; the shortest form has them if there are such.
    if magnitude.isNormal {
      let digits = DecimalDigits(shortest: magnitude.description)
      if digits.digits.count <= 15 { return digits.text(precision: 15, isNegative) }
    } else {
      let text = DecimalDigits(magnitude, count: 15).text(precision: 15, isNegative)
      if Double(text)?.magnitude == magnitude { return text }
    }
    return DecimalDigits(magnitude, count: 17).text(precision: 17, isNegative)
  }
}

/// The significant digits of a positive number, without trailing zeros, and where the point is.
struct DecimalDigits {
  /// Values from 0 to 9; the first is not 0.
  private(set) var digits: [UInt8]
  /// The power of ten of the first digit.
  private(set) var exponent: Int

  /// From the standard library's description of a positive finite number, as in `1.5`, `100.0` or `1e-07`.
  init(shortest description: String) {
    digits = []
    exponent = 0
    var pointIndex: Int?
    var written = 0
    for (index, byte) in description.utf8.enumerated() {
      switch byte {
      case UInt8(ascii: "."): pointIndex = digits.count
      case UInt8(ascii: "e"): written = Int(description.dropFirst(index + 1)) ?? 0
      case UInt8(ascii: "0")...UInt8(ascii: "9") where written == 0 && !description.utf8.prefix(index).contains(0x65):
        digits.append(byte - UInt8(ascii: "0"))
      default: break
      }
    }
    exponent = (pointIndex ?? digits.count) - 1 + written
    let zeros = digits.prefix { $0 == 0 }.count
    digits.removeFirst(zeros)
    exponent -= zeros
    trim()
  }

  /// The first `count` digits of `value`, which is positive and finite, rounded to the nearest, ties to even.
  init(_ value: Double, count: Int) {
    // value = significand * 2^power exactly; for negative powers that is significand * 5^-power / 10^-power.
    let power = Int(value.exponent) - 52
    var significand = UInt64(value.significandBitPattern)
    var scale = power
    if value.isNormal { significand |= 1 << 52 } else { scale = -1074 }
    var number = DecimalInteger(significand)
    number.multiply(by: scale < 0 ? 5 : 2, times: scale.magnitude)
    digits = number.digits
    exponent = digits.count - 1 - (scale < 0 ? -scale : 0)
    round(to: count)
    trim()
  }

  private mutating func round(to count: Int) {
    guard digits.count > count else { return }
    let rest = digits[count...]
    let isAbove = rest.first.map { $0 > 5 || $0 == 5 && rest.dropFirst().contains { $0 != 0 } } ?? false
    let isTie = rest.first == 5 && !isAbove
    digits.removeLast(digits.count - count)
    guard isAbove || isTie && digits[count - 1] & 1 == 1 else { return }
    var index = count - 1
    while index >= 0, digits[index] == 9 {
      digits[index] = 0
      index -= 1
    }
    if index >= 0 {
      digits[index] += 1
    } else {
      digits.insert(1, at: 0)
      digits.removeLast()
      exponent += 1
    }
  }

  private mutating func trim() {
    while digits.count > 1, digits.last == 0 { digits.removeLast() }
  }

  /// As C's `%g` with that precision prints it.
  func text(precision: Int, _ isNegative: Bool) -> String {
    var text: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
    let zero = UInt8(ascii: "0")
    let point = UInt8(ascii: ".")
    if exponent < -4 || exponent >= precision {
      text.append(digits[0] + zero)
      if digits.count > 1 { text += [point] + digits.dropFirst().map { $0 + zero } }
      text += Array((exponent < 0 ? "e-" : "e").utf8)
      if exponent.magnitude < 10 { text.append(zero) }
      text += Array(String(exponent.magnitude).utf8)
    } else if exponent < 0 {
      text += [zero, point] + [UInt8](repeating: zero, count: -exponent - 1) + digits.map { $0 + zero }
    } else {
      let whole = exponent + 1
      for index in 0..<max(whole, digits.count) {
        if index == whole { text.append(point) }
        text.append((index < digits.count ? digits[index] : 0) + zero)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// A large integer, for the exact value of a floating-point number: at most 767 digits.
private struct DecimalInteger {
  /// In base 10^9, the lowest first.
  private var limbs: [UInt32] = []
  private static let base: UInt64 = 1_000_000_000

  init(_ value: UInt64) {
    var rest = value
    repeat {
      limbs.append(UInt32(rest % Self.base))
      rest /= Self.base
    } while rest > 0
  }

  mutating func multiply(by factor: UInt64, times: UInt) {
    // As many factors at once as fit 32 bits.
    let (step, chunk): (UInt, UInt64) = factor == 5 ? (13, 1_220_703_125) : (31, 1 << 31)
    var left = times
    while left >= step {
      multiply(by: chunk)
      left -= step
    }
    for _ in 0..<left { multiply(by: factor) }
  }

  private mutating func multiply(by factor: UInt64) {
    var carry: UInt64 = 0
    for index in limbs.indices {
      let product = UInt64(limbs[index]) * factor + carry
      limbs[index] = UInt32(product % Self.base)
      carry = product / Self.base
    }
    while carry > 0 {
      limbs.append(UInt32(carry % Self.base))
      carry /= Self.base
    }
  }

  /// Values from 0 to 9, the highest first, without leading zeros.
  var digits: [UInt8] {
    var digits: [UInt8] = []
    for limb in limbs.reversed() {
      var divisor: UInt32 = 100_000_000
      while divisor > 0 {
        let digit = UInt8(limb / divisor % 10)
        if digit != 0 || !digits.isEmpty { digits.append(digit) }
        divisor /= 10
      }
    }
    return digits
  }
}
