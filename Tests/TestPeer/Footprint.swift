import Foundation
import SystemPackage
import TestSupport

/// What this process takes of the machine.
struct Footprint: CustomStringConvertible {
  var descriptors: Int
  var mappings: Int
  var threads: Int
  /// In KiB, as the kernel says: address space, private memory, shared memory.
  var addressSpace: Int
  var anonymous: Int
  var shared: Int

  /// At this moment.
  init() throws {
    descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    mappings = try ProcessFile.text("/proc/self/maps").split(separator: "\n").count
    let status = try ProcessFile.text("/proc/self/status").split(separator: "\n")
    func value(_ key: String) throws -> Int {
      guard let line = status.first(where: { $0.hasPrefix("\(key):") }),
        let number = Int(line.split(whereSeparator: { !$0.isNumber }).first ?? "")
      else { throw PeerError("no \(key) in /proc/self/status") }
      return number
    }
    threads = try value("Threads")
    addressSpace = try value("VmSize")
    anonymous = try value("RssAnon")
    shared = try value("RssShmem")
  }

  /// In the order of the stored properties.
  var description: String { "\(descriptors) \(mappings) \(threads) \(addressSpace) \(anonymous) \(shared)" }
}
