import Foundation
import Testing

/// The page that says which tests show what any release must show.
@Suite struct AcceptanceTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The sources of all tests but this one, as one text.
  private static func sources() throws -> String {
    let tests = root.appending(path: "Tests")
    let files = try FileManager.default.subpathsOfDirectory(atPath: tests.path)
    return try files.filter { $0.hasSuffix("Tests.swift") && !$0.contains("AcceptanceTests") }
      .map { try String(contentsOf: tests.appending(path: $0), encoding: .utf8) }.joined()
  }

  @Test func `each line names its tests, and they exist`() throws {
    let page = try String(contentsOf: Self.root.appending(path: "Docs/acceptance.md"), encoding: .utf8)
    let sources = try Self.sources()
    let rows = page.split(separator: "\n").filter { $0.hasPrefix("| ") && $0.dropFirst(2).first?.isNumber == true }
    #expect(rows.count == 33)
    for (index, row) in rows.enumerated() {
      let columns = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      try #require(columns.count >= 3, "\(row)")
      #expect(columns[0] == "\(index + 1)")
      let names = columns[2].split(separator: "`").enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
      #expect(!names.isEmpty, "line \(index + 1) names no test")
      for name in names {
        let isThere = ["func `\(name)`", "\"\(name)\"", "func \(name)("].contains { sources.contains($0) }
        #expect(isThere, "there is no test “\(name)” (line \(index + 1))")
      }
    }
  }
}
