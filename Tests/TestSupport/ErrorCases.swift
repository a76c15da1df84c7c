import Foundation

/// What is wrong with the descriptions of an error type whose cases are all in `samples`: what a case carries (counts,
/// limits, names, other errors) and its description does not tell, and cases of which there is no sample.
///
/// - Parameter source: The file that declares the type, relative to the package.
public func flaws<Failure: Error & CustomStringConvertible>(of samples: [Failure], in source: String) throws -> [String]
{
  let (full, bare) = try cases(of: "\(Failure.self)", in: source)
  let labels = samples.map { Mirror(reflecting: $0).children.first?.label }
  // A case that carries nothing does not tell its name: of those, there must be as many descriptions.
  let bareDescriptions = Set(zip(samples, labels).filter { $1 == nil }.map { $0.0.description })
  return full.subtracting(labels.compactMap(\.self)).sorted().map { "no sample of \($0)" }
    + (bareDescriptions.count == bare.count ? [] : ["\(bareDescriptions.count) descriptions for \(bare.sorted())"])
    + bareDescriptions.intersection(bare).sorted().map { "\($0) is described by its name" }
    + samples.flatMap { sample in untold(by: sample).map { "“\(sample)” does not tell \($0)" } }
}

private func untold(by error: some Error & CustomStringConvertible) -> [String] {
  Mirror(reflecting: error).children.flatMap { words(of: $0.value) }.filter { !error.description.contains($0) }
}

/// The words for a value: its own description if it has one, else those for what it is made of.
private func words(of value: Any) -> [String] {
  if let range = value as? ClosedRange<Int> { return ["\(range.lowerBound)", "\(range.upperBound)"] }
  if let value = value as? any CustomStringConvertible { return [value.description] }
  let children = Mirror(reflecting: value).children
  return children.isEmpty ? ["\(value)"] : children.flatMap { words(of: $0.value) }
}

/// The cases that an enum declares at the first level of its body: those that carry something, and those that do not.
private func cases(of type: String, in source: String) throws -> (full: Set<String>, bare: Set<String>) {
  let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let lines = try String(contentsOf: root.appending(path: source), encoding: .utf8).split(separator: "\n")
  guard let start = lines.firstIndex(where: { $0.contains("enum \(type):") }) else { return (["\(type)"], []) }
  let declared = lines[(start + 1)...].prefix { $0 != "}" }.filter { $0.hasPrefix("  case ") }.map { $0.dropFirst(7) }
  func names(_ lines: [Substring]) -> Set<String> { Set(lines.map { String($0.prefix { $0.isLetter }) }) }
  return (names(declared.filter { $0.contains("(") }), names(declared.filter { !$0.contains("(") }))
}
