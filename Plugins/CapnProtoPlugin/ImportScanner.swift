import Foundation

/// Finds the files that schemas import, so that the build knows what their generated code depends on.
///
/// It looks for `import "path"` and `embed "path"` outside of comments. `capnp` itself reports what cannot be found.
struct ImportScanner {
  /// Where `import "/path"` is looked for, in this order.
  var importDirectories: [URL]

  /// The files imported by `schemas`, directly or not, without `schemas` themselves; in a stable order.
  func filesImported(by schemas: [URL]) -> [URL] {
    var seen = Set(schemas.map(\.standardizedFileURL))
    let given = seen
    var pending = schemas
    while let schema = pending.popLast() {
      for file in files(importedBy: schema) where seen.insert(file).inserted {
        pending.append(file)
      }
    }
    return seen.subtracting(given).sorted { $0.path < $1.path }
  }

  private func files(importedBy schema: URL) -> [URL] {
    guard let text = try? String(contentsOf: schema, encoding: .utf8) else { return [] }
    return importedPaths(in: text).compactMap { path in
      let candidates =
        path.hasPrefix("/")
        ? importDirectories.map { $0.appending(path: String(path.dropFirst())) }
        : [schema.deletingLastPathComponent().appending(path: path)]
      return candidates.map(\.standardizedFileURL).first { FileManager.default.fileExists(atPath: $0.path) }
    }
  }

  private func importedPaths(in text: String) -> [String] {
    text.split(separator: "\n").flatMap { line in
      line.prefix { $0 != "#" }.matches(of: #/\b(?:import|embed)\s+"([^"]+)"/#).map { String($0.1) }
    }
  }
}
