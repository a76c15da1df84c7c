import Foundation
import Testing

/// The page on containers, against the compiler.
@Suite struct DocumentationTests {
  @Test func `the examples of the page compile`() async throws {
    let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Docs/containers.md")
    var source = ""
    var blockCount = 0
    var isInside = false
    for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```swift" {
        isInside = true
        blockCount += 1
      } else if line.hasPrefix("```") {
        isInside = false
      } else if isInside {
        source += line + "\n"
      }
    }
    #expect(blockCount >= 3)
    let result = try await Compiler.check(source)
    #expect(result.succeeded, "\(result.diagnostics)")
  }
}
