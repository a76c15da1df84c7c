import Foundation
import TestSupport

/// What a process holds of the kernel for the sessions of one app, and what stands in /dev/shm for it.
struct Possessions: Equatable, CustomStringConvertible {
  /// What the descriptors stand for.
  let targets: [String]
  let mappings: Int
  let files: [String]

  init(of app: String) throws {
    targets = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
      // The one that reads the directory is gone by now.
      try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }.sorted()
    mappings = try ProcessFile.text("/proc/self/maps").split(separator: "\n").count { $0.contains("sluice.\(app).") }
    files = try Self.files(of: app)
  }

  var descriptors: Int { targets.count }

  /// What stands in /dev/shm for the app.
  static func files(of app: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter { $0.contains(app) }.sorted()
  }

  var description: String { "\(descriptors) descriptors \(targets), \(mappings) mappings, files \(files)" }
}

/// Waits until `condition` holds, ten seconds at most; whether it did.
func eventually(_ condition: () throws -> Bool) async throws -> Bool {
  let deadline = ContinuousClock.now.advanced(by: .seconds(10))
  while try !condition() {
    guard ContinuousClock.now < deadline else { return false }
    await Task.yield()
  }
  return true
}
