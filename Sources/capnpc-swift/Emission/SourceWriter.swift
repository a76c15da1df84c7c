/// Collects the lines of a Swift file, indented by 2 spaces a level.
struct SourceWriter {
  private(set) var text = ""
  /// The access of the declarations, which are written as public ones.
  let access: Access
  private var level = 0

  init(access: Access) { self.access = access }

  /// Writes one line; an empty one gets no indentation.
  mutating func line(_ content: String = "") {
    if !content.isEmpty {
      text += String(repeating: "  ", count: level) + access.applied(to: content)
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

  /// Writes `head { … }`, on one line where there is one statement and it fits.
  mutating func body(_ head: String, _ statements: [String]) {
    if statements.count == 1 {
      let statement = statements[0].hasPrefix("return ") ? String(statements[0].dropFirst(7)) : statements[0]
      let short = "\(head) { \(statement) }"
      if 2 * level + short.count <= 120 { return line(short) }
    }
    open(head)
    for statement in statements { line(statement) }
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
