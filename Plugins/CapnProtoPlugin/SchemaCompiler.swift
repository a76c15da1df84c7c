import Foundation

/// The `capnp` tool of this machine.
enum SchemaCompiler {
  /// Where `capnp` finds the schemas that come with it.
  static let standardImportDirectories = [URL(filePath: "/usr/local/include"), URL(filePath: "/usr/include")]

  /// Looks for `capnp` on `PATH` and in the usual places.
  static func find(environment: [String: String]) throws -> URL {
    let onPath = environment["PATH", default: ""].split(separator: ":").map(String.init)
    let directories = onPath + ["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"].filter { !onPath.contains($0) }
    let candidates = directories.map { URL(filePath: $0).appending(path: "capnp") }
    guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
      throw SchemaCompilerMissing(directories: directories)
    }
    return found
  }
}

/// There is no `capnp` on this machine.
struct SchemaCompilerMissing: Error, CustomStringConvertible {
  var directories: [String]

  var description: String {
    """
    the Cap'n Proto schema compiler 'capnp' is missing (looked in \(directories.joined(separator: ", "))). \
    Install it: 'apt-get install capnproto' (Debian, Ubuntu) or 'brew install capnp' (macOS).
    """
  }
}
