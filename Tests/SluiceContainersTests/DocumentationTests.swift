import Foundation
import Testing

/// The pages for applications, against the compiler.
@Suite struct DocumentationTests {
  /// What a page's examples leave to their reader.
  private static let pages: [(path: String, given: String)] = [
    ("Docs/containers.md", ""),
    (
      "Docs/sessions.md",
      """
      import PerfDemoSchema
      import Sluice
      struct Accounts { func knows(_ user: UInt32) async -> Bool { true } }
      let accounts = Accounts()
      import SystemPackage
      struct EventLoop { func whenReadable(_ descriptor: FileDescriptor, _ body: @escaping () -> Void) {} }
      """
    ),
    ("README.md", "import PerfDemoSchema\nlet bytes: [UInt8] = []"),
  ]

  @Test(arguments: pages.map(\.path)) func `the examples of the page compile`(path: String) async throws {
    let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: path)
    let text = try String(contentsOf: page, encoding: .utf8)
    let blocks = Self.blocks(of: text).filter { !$0.contains(".package(") }
    #expect(!blocks.isEmpty)
    let given = try #require(Self.pages.first { $0.path == path }).given
    let result = try await Compiler.check(([given] + blocks.enumerated().map(Self.compilable)).joined(separator: "\n"))
    #expect(result.succeeded, "\(result.diagnostics)")
  }

  private static func blocks(of page: String) -> [String] {
    page.components(separatedBy: "```swift\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
  }

  /// Declarations stay as they are, statements go into a function. Schemas have the names that perf_demo's have.
  private static func compilable(_ number: Int, _ block: String) -> String {
    let isDeclaration = ["import ", "extension ", "func ", "struct ", "typealias "]
    var (declarations, statements) = ("", "")
    var isInDeclaration = false
    for line in block.split(separator: "\n", omittingEmptySubsequences: false)
    where !line.hasPrefix("import CacheSchema") {
      let begins = isDeclaration.contains { line.hasPrefix($0) }
      if begins || isInDeclaration { declarations += line + "\n" } else { statements += line + "\n" }
      if begins { isInDeclaration = line.hasSuffix("{") }
      if line.hasPrefix("}") { isInDeclaration = false }
    }
    return "\(declarations)func example\(number)() async throws {\n\(statements)\n}"
  }
}
