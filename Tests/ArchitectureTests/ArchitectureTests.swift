import Foundation
import Testing

/// The walls between the layers, as tests over this package's own sources.
@Suite struct ArchitectureTests {
  @Test(arguments: Layer.all.map(\.module))
  func `a module imports only what its layer allows`(module: String) throws {
    let layer = try #require(Layer.all.first { $0.module == module })
    let files = try SourceTree.files(under: layer.folder)
    #expect(!files.isEmpty, "no sources in \(layer.folder): the table of layers is out of date")
    let violations = try files.filter { $0.hasSuffix(".swift") }.flatMap {
      ArchitectureRules.violations(in: try SourceTree.text(of: $0), file: $0, of: layer)
    }
    #expect(violations.isEmpty, "\(violations.map(\.description).joined(separator: "\n"))")
  }

  @Test func `the table of layers follows its own order`() {
    #expect(ArchitectureRules.orderViolations(in: Layer.all).isEmpty)
  }

  @Test func `each folder of sources is a layer of the table`() throws {
    let known = Set(Layer.all.map(\.folder))
    for parent in ["Sources", "Plugins", "Schemas"] {
      for name in try SourceTree.folders(in: parent) {
        // What others import from schemas is no module.
        guard try SourceTree.files(under: "\(parent)/\(name)").contains(where: { !$0.hasSuffix(".capnp") }) else {
          continue
        }
        #expect(known.contains("\(parent)/\(name)"), "\(parent)/\(name) is in no layer")
      }
    }
  }

  @Test func `no file is longer than one concept`() throws {
    let violations = try ["Sources", "Plugins", "Schemas", "PerfDemo", "Tests", "Benchmarks"]
      .flatMap { try SourceTree.files(under: $0) }
      .filter { !$0.contains("/Generated/") }
      .compactMap { ArchitectureRules.lengthViolation(in: try SourceTree.text(of: $0), file: $0) }
    #expect(violations.isEmpty, "\(violations.map(\.description).joined(separator: "\n"))")
  }
}
