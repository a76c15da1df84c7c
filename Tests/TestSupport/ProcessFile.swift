import SystemPackage

/// Files in which the kernel speaks of a process.
public enum ProcessFile {
  /// A whole file of procfs, which comes a few kilobytes at a time.
  public static func text(_ path: String) throws -> String {
    let file = try FileDescriptor.open(path, .readOnly)
    return try file.closeAfter {
      var bytes: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[..<count]
      }
    }
  }
}
