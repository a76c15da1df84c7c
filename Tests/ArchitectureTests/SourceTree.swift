import Foundation

/// The package's own sources, as the rules see them. Paths are relative to the package.
enum SourceTree {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// All files that people or generators wrote under a folder, without build products; none when there is no such folder.
  static func files(under folder: String) throws -> [String] {
    var found: [String] = []
    for path in FileManager.default.enumerator(atPath: root.appending(path: folder).path) ?? .init() {
      guard let path = path as? String, !path.split(separator: "/").contains(where: { $0.hasPrefix(".build") }),
        [".swift", ".c", ".h", ".cpp", ".capnp", ".modulemap"].contains(where: path.hasSuffix)
      else { continue }
      found.append("\(folder)/\(path)")
    }
    return found.sorted()
  }

  /// The names of the folders directly inside a folder.
  static func folders(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      at: root.appending(path: folder), includingPropertiesForKeys: [.isDirectoryKey]
    ).filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }.map(\.lastPathComponent)
  }

  static func text(of path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }
}
