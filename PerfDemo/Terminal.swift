import Foundation

/// Standard output and standard error. Whoever reads them may be gone, which is no reason to fail.
enum Terminal {
  /// Writes to standard output, at once.
  static func print(_ text: String) { write(text, to: .standardOutput) }

  /// Says on standard error, in a line of its own, what went wrong.
  static func complain(_ text: String) { write("perf_demo: \(text)\n", to: .standardError) }

  /// Writes to standard error, at once.
  static func tell(_ text: String) { write(text, to: .standardError) }

  private static func write(_ text: String, to handle: FileHandle) { try? handle.write(contentsOf: Data(text.utf8)) }
}
