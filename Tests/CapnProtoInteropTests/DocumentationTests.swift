import Foundation
import Testing

/// The page that shows what is generated, against what is.
@Suite struct DocumentationTests {
  /// The code blocks of a page in `language`.
  private static func blocks(_ language: String, of page: String) throws -> [[Substring]] {
    let file = Tool.package.appending(path: "Docs").appending(path: page)
    var blocks: [[Substring]] = []
    var isInside = false
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```" + language {
        isInside = true
        blocks.append([])
      } else if line.hasPrefix("```") {
        isInside = false
      } else if isInside {
        blocks[blocks.count - 1].append(line)
      }
    }
    return blocks
  }

  @Test("the page on generated code shows what is generated")
  func generated() async throws {
    let directory = try TemporaryDirectory()
    let schema = try Self.blocks("capnp", of: "capnproto-generated.md").joined().joined(separator: "\n")
    let path = try directory.write("@0xd7a5e2c90b483f16;\n\(schema)\n", to: "page.capnp")
    try await Tool.output(
      Tool.capnp,
      ["compile", "-o\(Tool.generator):\(directory.url.path)", "--src-prefix=\(directory.url.path)", path])
    let lines = try directory.text(of: "page.capnp.swift").split(separator: "\n")

    let blocks = try Self.blocks("swift", of: "capnproto-generated.md")
    #expect(blocks.count > 10)
    for block in blocks {
      var rest = lines[...]
      for shown in block {
        // Up to the ellipsis, where there is one.
        let isPart = shown.hasSuffix(" …")
        let expected = isPart ? shown.dropLast(2) : shown
        let found = rest.firstIndex { isPart ? $0.hasPrefix(expected) : $0 == expected }
        #expect(found != nil, "not generated, or not in this order: \(shown)")
        if let found { rest = rest[(found + 1)...] }
      }
    }
    let sources = [directory.url.appending(path: "page.capnp.swift").path]
    #expect(try await Tool.diagnostics(ofCompiling: sources) == "")
  }
}
