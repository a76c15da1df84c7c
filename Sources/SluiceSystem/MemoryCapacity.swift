import CSluice
import Glibc
import SystemPackage

/// What the machine and its limits leave to this process.
public enum MemoryCapacity {
  /// How many bytes of memory this process may use: the least of the machine's memory and the limits of the process's
  /// cgroup and of those above it, versions 1 and 2. Read once.
  public static let available: Int = {
    let physical = Int(sysconf(Int32(_SC_PHYS_PAGES))).multipliedReportingOverflow(by: systemPageByteCount)
    return available(
      physical: physical.overflow ? .max : physical.partialValue, cgroups: read("/proc/self/cgroup") ?? "", read: read)
  }()

  /// On how many processors this process's threads may run, at least 1. Read once.
  public static let processorCount = max(1, Int(sluice_allowed_cpu_count()))

  /// The least of `physical` and what the files of the cgroups in `cgroups` (cgroups(7), `/proc/<pid>/cgroup`) say.
  static func available(physical: Int, cgroups: String, read: (String) -> String?) -> Int {
    var least = physical
    for line in cgroups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let (root, file): (String, String)
      if fields[1].isEmpty {
        (root, file) = ("/sys/fs/cgroup", "memory.max")
      } else if fields[1].split(separator: ",").contains("memory") {
        (root, file) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
      } else {
        continue
      }
      // In a container the path may be that of the host: what is not there says nothing, the root is always ours.
      var components = fields[2].split(separator: "/")
      while true {
        let path = ([root] + components.map(String.init) + [file]).joined(separator: "/")
        // "max", version 2's word for no limit, is no number.
        if let text = read(path), let limit = Int(text.prefix { $0.isNumber }), limit > 0 { least = min(least, limit) }
        guard components.popLast() != nil else { break }
      }
    }
    return least
  }

  /// The text of a small file of the kernel's; nil when it can't be read.
  private static func read(_ path: String) -> String? {
    guard let descriptor = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else {
      return nil
    }
    return try? descriptor.closeAfter {
      let capacity = 16 << 10
      let bytes = try unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        count = try unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}
