import Foundation

/// The machine that the figures were measured on.
struct Machine: Codable, Equatable, Sendable {
  let operatingSystem: String
  let kernel: String?
  let architecture: String
  let processors: Int
  let memoryBytes: UInt64

  /// This machine.
  static var current: Machine {
    let process = ProcessInfo.processInfo
    return Machine(
      operatingSystem: process.operatingSystemVersionString, kernel: kernelRelease, architecture: currentArchitecture,
      processors: process.activeProcessorCount, memoryBytes: process.physicalMemory)
  }

  /// One line for people.
  var summary: String {
    let memory = ByteSize(byteCount: Int(clamping: memoryBytes))
    let system = kernel.map { "\(operatingSystem), kernel \($0)" } ?? operatingSystem
    return "\(processors) processors (\(architecture)), \(memory) of memory, \(system)"
  }

  /// Where the system tells it; elsewhere the operating system's version says enough.
  private static var kernelRelease: String? {
    try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static var currentArchitecture: String {
    #if arch(x86_64)
      "x86_64"
    #elseif arch(arm64)
      "arm64"
    #else
      "other"
    #endif
  }
}
