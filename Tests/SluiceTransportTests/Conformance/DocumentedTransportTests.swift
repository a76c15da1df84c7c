import SluiceSystem
import SystemPackage
import Testing

@Suite("The page about transports") struct DocumentedTransportTests {
  @Test("shows the transport that the conformance suite runs over, to the letter")
  func samePage() throws {
    let folder = FilePath(#filePath).removingLastComponent()
    let source = String(decoding: try readFile(folder.appending("LetterboxTransport.swift")), as: UTF8.self)
    let root = folder.removingLastComponent().removingLastComponent().removingLastComponent()
    let page = String(decoding: try readFile(root.appending("Docs/transports.md")), as: UTF8.self)
    let start = try #require(page.range(of: "```swift\n"))
    let end = try #require(page[start.upperBound...].range(of: "```"))
    #expect(page[start.upperBound..<end.lowerBound] == source)
  }
}

extension StringProtocol {
  /// Where a text stands first.
  fileprivate func range(of text: String) -> Range<Index>? {
    var position = startIndex
    while position < endIndex {
      if self[position...].hasPrefix(text) { return position..<index(position, offsetBy: text.count) }
      position = index(after: position)
    }
    return nil
  }
}
