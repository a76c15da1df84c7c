import Testing

/// The checker catches what it is there to catch.
@Suite struct RulesTests {
  private let transport = Layer("SluiceTransport", in: "Sources/SluiceTransport", own: ["SluiceSystem"])

  @Test(arguments: [
    "import SluiceSession",
    "public import SluiceSession",
    "@testable import SluiceSession",
    "@_exported import SluiceSession",
    "import struct SluiceSession.ClientApp",
    "import SluiceSession.Inner",
    "import SluiceSystem; import SluiceSession",
    "  import\tSluiceSession // because",
  ])
  func `an import of a lower layer is caught`(statement: String) {
    let found = ArchitectureRules.violations(in: "\n\(statement)\n", file: "A.swift", of: transport)
    #expect(
      found == [Violation(file: "A.swift", line: 2, reason: "SluiceTransport must not import SluiceSession")])
  }

  @Test(arguments: [
    "import SluiceSystem", "import Synchronization", "// import SluiceSession", "/* a /* b */\nimport SluiceSession */",
    "let text = \"\"\"\n  import SluiceSession\n  \"\"\"", "let text = #\"\"\"\n\"\"\"\nimport SluiceSession\n\"\"\"#",
    "let text = \"\\\" import SluiceSession\"", "let importSluiceSession = 1",
  ])
  func `what is allowed, or no import, is let through`(source: String) {
    #expect(ArchitectureRules.violations(in: source, file: "A.swift", of: transport).isEmpty)
  }

  @Test(arguments: [
    "import Glibc", "#if os(Linux)\n#endif", "#if  canImport( Glibc )\n#endif", "#if DEBUG || os(macOS)",
  ])
  func `code for one operating system is caught`(source: String) {
    #expect(ArchitectureRules.violations(in: source, file: "A.swift", of: transport).count == 1)
  }

  @Test func `code for one operating system may stand where the table says so`() throws {
    let system = try #require(Layer.all.first { $0.module == "SluiceSystem" })
    #expect(
      ArchitectureRules.violations(in: "#if os(Linux)\nimport Glibc\n#endif", file: "A.swift", of: system).isEmpty)
  }

  @Test func `a file over the limit is caught, one at the limit is not`() {
    let atLimit = String(repeating: "\n", count: ArchitectureRules.lineLimit)
    #expect(ArchitectureRules.lengthViolation(in: atLimit, file: "A.swift") == nil)
    #expect(ArchitectureRules.lengthViolation(in: atLimit + "\n", file: "A.swift")?.line == 501)
  }

  @Test func `a table that lets a module look down is caught`() {
    let layers = [Layer("A", in: "A", own: ["B"]), Layer("B", in: "B")]
    #expect(ArchitectureRules.orderViolations(in: layers) == ["A imports B, which is not above it"])
  }
}
