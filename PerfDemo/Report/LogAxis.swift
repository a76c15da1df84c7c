import Foundation

/// A logarithmic axis over whole decades that places values on a line of pixels.
struct LogAxis: Equatable, Sendable {
  /// The exponents of ten at the two ends.
  let decades: ClosedRange<Int>
  /// The pixel of the lower end, and of the upper end; the latter may be the smaller number.
  let lowerPixel: Double
  let upperPixel: Double

  /// An axis that holds all the values, which are positive, and is at least one decade long.
  init(holding values: [Double], from lowerPixel: Double, to upperPixel: Double) {
    let exponents = values.map(log10)
    let lowest = Int((exponents.min() ?? 0).rounded(.down))
    let highest = Int((exponents.max() ?? 1).rounded(.up))
    decades = lowest...max(highest, lowest + 1)
    self.lowerPixel = lowerPixel
    self.upperPixel = upperPixel
  }

  /// Where a value lies.
  func pixel(of value: Double) -> Double {
    let fraction = (log10(value) - Double(decades.lowerBound)) / Double(decades.count - 1)
    return lowerPixel + fraction * (upperPixel - lowerPixel)
  }

  /// The powers of ten on the axis.
  var majorTicks: [Double] { decades.map { pow(10, Double($0)) } }

  /// Twice, three times … nine times each power of ten but the last.
  var minorTicks: [Double] {
    decades.dropLast().flatMap { exponent in (2...9).map { Double($0) * pow(10, Double(exponent)) } }
  }
}
