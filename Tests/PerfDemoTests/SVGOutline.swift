import Foundation

/// As much of an XML reader as the tests need: whether tags match, which elements there are, and their texts.
struct SVGOutline {
  private(set) var isWellFormed = true
  private(set) var elements: [String] = []
  private(set) var texts: [String] = []

  init(parsing text: String) {
    var open: [String] = []
    var rest = Substring(text)
    while let start = rest.firstIndex(of: "<") {
      addText(rest[..<start])
      guard let end = rest[start...].firstIndex(of: ">") else {
        isWellFormed = false
        return
      }
      let tag = rest[rest.index(after: start)..<end]
      rest = rest[rest.index(after: end)...]
      let name = String(tag.drop { $0 == "/" }.prefix { $0.isLetter })
      if tag.hasPrefix("/") {
        isWellFormed = isWellFormed && open.popLast() == name
      } else {
        elements.append(name)
        isWellFormed = isWellFormed && tag.count(where: { $0 == "\"" }).isMultiple(of: 2)
        if !tag.hasSuffix("/") { open.append(name) }
      }
    }
    isWellFormed = isWellFormed && open.isEmpty
  }

  func count(of element: String) -> Int { elements.count { $0 == element } }

  private mutating func addText(_ raw: Substring) {
    let text = raw.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&amp;", with: "&")
      .trimmingCharacters(in: .whitespacesAndNewlines)
    if !text.isEmpty { texts.append(text) }
  }
}
