import Foundation
import TestSupport

/// What this process holds of the kernel, and what stands in the file system for one app.
struct Holdings {
  let app: String
  /// What the descriptors stand for.
  let descriptors: [String]
  let mappings: Int
  let files: [String]

  init(of app: String) throws {
    self.app = app
    descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
      // The one that reads the directory is gone by now. Which socket it is does not matter.
      try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }.map { $0.hasPrefix("socket:") ? "socket" : $0 }.sorted()
    mappings = try ProcessFile.text("/proc/self/maps").split(separator: "\n").count { $0.contains("sluice.\(app).") }
    files = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter { $0.contains("\(app).") }.sorted()
  }

  /// Waits until this process holds what it did, and nothing is left in the runtime directory.
  func waitUntilRestored(in setting: Setting) async throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(20))
    func entries() -> [String] {
      (try? FileManager.default.subpathsOfDirectory(atPath: setting.directory.string)) ?? []
    }
    while true {
      let (now, entries) = (try Holdings(of: app), entries())
      // It may be less: the upstream server, too, gives back what it does not need.
      let more = now.descriptors.difference(from: descriptors).insertions.map { "\($0)" }
      if more.isEmpty, now.mappings <= mappings, Set(files).isSuperset(of: now.files), entries.isEmpty { return }
      guard ContinuousClock.now < deadline else {
        throw MatrixError("left: \(more), \(now.mappings - mappings) mappings, \(now.files), \(entries)")
      }
      await Task.yield()
    }
  }
}
