/// Collects the lines of a Swift file, indented by 2 spaces a level.
struct SourceWriter {
  private(set) var text = ""
  private var level = 0

  /// Writes one line; an empty one gets no indentation.
  mutating func line(_ content: String = "") {
    if !content.isEmpty {
      text += String(repeating: "  ", count: level) + content
    }
    text += "\n"
  }

  /// Writes `head {`; what follows is one level deeper, up to `close()`.
  mutating func open(_ head: String) {
    line(head + " {")
    level += 1
  }

  /// Ends what `open` began.
  mutating func close() {
    level -= 1
    line("}")
  }

  /// Writes `head {`, what `body` writes one level deeper, and `}`.
  mutating func block(
    _ head: String, _ body: (inout SourceWriter) throws(GeneratorError) -> Void
  ) throws(GeneratorError) {
    open(head)
    try body(&self)
    close()
  }

  /// Writes `head` + elements + `tail`, on one line where it fits, else one element a line.
  mutating func list(_ head: String, _ elements: [String], _ tail: String) {
    let short = head + elements.joined(separator: ", ") + tail
    if 2 * level + short.count <= 110 { return line(short) }
    let indentation = String(head.prefix { $0 == " " })
    line(head)
    for element in elements { line("\(indentation)  \(element),") }
    line(indentation + tail)
  }

  /// Writes `documentation` as `///` lines; nothing when it is empty.
  mutating func documentation(_ documentation: String) {
    guard !documentation.isEmpty else { return }
    var lines = documentation.split(separator: "\n", omittingEmptySubsequences: false)
    while let last = lines.last, last.allSatisfy(\.isWhitespace) { lines.removeLast() }
    for content in lines {
      let end = content.lastIndex { !$0.isWhitespace }
      line(end.map { "/// " + content[...$0] } ?? "///")
    }
  }
}
