import Foundation
import Sluice

/// Reads of containers in shared memory against reads of Swift's own, by turns.
func measureContainers() throws {
  let arena = try Arena(name: "sluice.bench.containers", scope: .session)

  let numbers = (0..<1_000_000).map { Double($0) }
  let numberRow = try makeImage(of: numbers, in: arena)
  let array = try openShared(numberRow.bytes, as: SharedArray<Double>.self)
  let indexed = try compare(numbers.count) {
    var sum = 0.0
    for index in array.indices { sum += array[index] }
    return sum
  } native: {
    var sum = 0.0
    for index in numbers.indices { sum += numbers[index] }
    return sum
  }
  report("SharedArray of 1 M doubles, read by index", indexed, budget: "(x Array)")
  let spanned = try compare(numbers.count) {
    let span = try array.span
    var sum = 0.0
    for index in span.indices { sum += span[index] }
    return sum
  } native: {
    let span = numbers.span
    var sum = 0.0
    for index in span.indices { sum += span[index] }
    return sum
  }
  report("the same as a span", spanned, budget: "(x Array)")

  var byNumber: [UInt64: Double] = [:]
  for key in 0..<100_000 as Range<UInt64> { byNumber[key &* 0x9e37_79b9_7f4a_7c15] = Double(key) }
  let numberKeys = byNumber.keys.shuffled()
  let numberImage = try makeImage(of: byNumber, in: arena)
  let ofNumbers = try openShared(numberImage.bytes, as: SharedDictionary<UInt64, Double>.self)
  let lookedUp = try compare(numberKeys.count) {
    var sum = 0.0
    for key in numberKeys { if let value = try ofNumbers[key] { sum += value } }
    return sum
  } native: {
    var sum = 0.0
    for key in numberKeys { if let value = byNumber[key] { sum += value } }
    return sum
  }
  report("SharedDictionary of 100,000 numbers, each looked up", lookedUp, budget: "(x Dictionary)")

  var byName: [String: Double] = [:]
  for key in 0..<100_000 { byName["instrument number \(key)"] = Double(key) }
  let names = byName.keys.shuffled()
  let nameImage = try makeImage(of: byName, in: arena)
  let ofNames = try openShared(nameImage.bytes, as: SharedDictionary<SharedString, Double>.self)
  let named = try compare(names.count) {
    var sum = 0.0
    for name in names { if let value = try ofNames[name] { sum += value } }
    return sum
  } native: {
    var sum = 0.0
    for name in names { if let value = byName[name] { sum += value } }
    return sum
  }
  report("SharedDictionary of 100,000 texts, each looked up", named, budget: "(x Dictionary)")
}

/// A container in an arena, which must outlive it.
private struct Image: ~Escapable {
  let bytes: RawSpan

  @_lifetime(borrow arena)
  init(_ buffer: UnsafeRawBufferPointer, in arena: borrowing Arena) {
    bytes = _overrideLifetime(RawSpan(_unsafeBytes: buffer), borrowing: arena)
  }
}

/// Builds a container in an arena.
@_lifetime(borrow arena)
private func makeImage(of source: some SharedSource, in arena: Arena) throws -> Image {
  let capacity = try sharedByteCount(of: source)
  let buffer = UnsafeMutableRawBufferPointer(
    rebasing: try arena.allocate(byteCount: capacity, alignment: 64)[..<capacity])
  var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
  try output.appendShared { builder in try builder.write(source) }
  return Image(UnsafeRawBufferPointer(rebasing: buffer[..<output.finalize(for: buffer)]), in: arena)
}

/// How long `count` reads take of one and of the other, which must find the same.
private func compare(_ count: Int, shared: () throws -> Double, native: () throws -> Double) throws -> String {
  var times: ([Double], [Double]) = ([], [])
  for _ in 0..<31 {
    let start = threadTime()
    let first = try shared()
    let middle = threadTime()
    let second = try native()
    // The order in which keys are looked up is the same, hence so is the sum.
    guard first == second else { throw BenchError("found \(first), not \(second)") }
    times.0.append((middle - start) / Double(count))
    times.1.append((threadTime() - middle) / Double(count))
  }
  let (shared, native) = (median(times.0), median(times.1))
  return String(format: "%.2f x (%.2f ns)", shared / native, shared)
}
