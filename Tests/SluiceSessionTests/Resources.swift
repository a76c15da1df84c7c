import Foundation
import Testing
import TestSupport

/// What this process holds of the kernel for the sessions of one server app, and what stands in /dev/shm for it.
///
/// Tests run side by side in one process: each has a server app of its own, whose name is in the name of each segment.
struct Resources: Equatable {
  let app: String
  let segmentMappings: Int
  let segmentDescriptors: Int
  let sharedMemoryFiles: Int

  init(of app: String) throws {
    self.app = app
    let maps = try ProcessFile.text("/proc/self/maps")
    let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    let targets = descriptors.compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm")
    segmentMappings = maps.split(separator: "\n").filter { $0.contains("memfd:sluice.\(app).") }.count
    segmentDescriptors = targets.filter { $0.contains("memfd:sluice.\(app).") }.count
    sharedMemoryFiles = files.filter { $0.contains(app) }.count
  }

  /// Waits until nothing is held; at most a few seconds, and says what is.
  static func expectNone(of app: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    var now = try Resources(of: app)
    let deadline = ContinuousClock.now.advanced(by: .seconds(10))
    while !now.isEmpty, ContinuousClock.now < deadline {
      await Task.yield()
      now = try Resources(of: app)
    }
    #expect(now.isEmpty, "\(now)", sourceLocation: sourceLocation)
  }

  private var isEmpty: Bool { segmentMappings == 0 && segmentDescriptors == 0 && sharedMemoryFiles == 0 }
}
