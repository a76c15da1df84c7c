import Foundation
import SluiceSystem
import TestSupport

/// What the kernel says of this process. Tests run side by side, so everything is looked up by the name of a segment.
enum ProcessState {
  /// How often segments whose names begin with `prefix` are mapped.
  static func mappingCount(_ prefix: String) throws -> Int {
    try ProcessFile.text("/proc/self/maps").split(separator: "\n").count {
      $0.contains("/memfd:\(prefix)") || $0.contains("/dev/shm/\(prefix)")
    }
  }

  /// How many open descriptors are segments whose names begin with `prefix`.
  static func descriptorCount(_ prefix: String) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { entry in
      // The descriptor that lists the directory is gone by now.
      let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(entry)")
      return target?.hasPrefix("/memfd:\(prefix)") == true || target?.hasPrefix("/dev/shm/\(prefix)") == true
    }
  }

  /// What stands in /dev/shm whose name begins with `prefix`.
  static func files(_ prefix: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter { $0.hasPrefix(prefix) }.sorted()
  }

  /// How many pages the kernel had to give this process so far, without reading them from a disk.
  static var minorFaultCount: Int {
    var usage = rusage()
    precondition(getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0)
    return usage.ru_minflt
  }

  /// The flags of the mapping of a memfd; see proc(5), `VmFlags`.
  static func mappingFlags(_ name: String) throws -> [Substring] {
    let lines = try ProcessFile.text("/proc/self/smaps").split(separator: "\n")
    guard let start = lines.firstIndex(where: { $0.contains("/memfd:\(name) ") || $0.hasSuffix("/dev/shm/\(name)") }),
      let flags = lines[start...].first(where: { $0.hasPrefix("VmFlags:") })
    else { return [] }
    return flags.split(separator: " ").dropFirst().map { $0 }
  }

  /// How many bytes of the mappings of segments whose names begin with `prefix` have a page in this process.
  static func residentByteCount(ofMappings prefix: String) throws -> Int {
    var isOurs = false
    var kilobytes = 0
    for line in try ProcessFile.text("/proc/self/smaps").split(separator: "\n") {
      if line.contains("-"), line.contains(" r") || line.contains(" -") {
        isOurs = line.contains("/memfd:\(prefix)") || line.contains("/dev/shm/\(prefix)")
      } else if isOurs, line.hasPrefix("Rss:") {
        kilobytes += Int(line.split(separator: " ")[1]) ?? 0
      }
    }
    return kilobytes << 10
  }

  /// How many bytes of memory a segment takes.
  static func residentByteCount(_ segment: Segment) -> Int {
    var status = stat()
    precondition(fstat(segment.handle.descriptor.rawValue, &status) == 0)
    return Int(status.st_blocks) * 512
  }
}

/// Runs `body` on `count` threads of their own, and returns when all are done.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let done = DispatchGroup()
  for index in 0..<count {
    done.enter()
    Thread.detachNewThread {
      body(index)
      done.leave()
    }
  }
  done.wait()
}

/// Counts up by `signal`, and down by `wait`, which blocks at zero.
final class Semaphore: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)
  func signal() { semaphore.signal() }
  func wait() { semaphore.wait() }
}
