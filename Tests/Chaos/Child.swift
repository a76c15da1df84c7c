import Foundation
import Glibc

/// A process of this program in one of its roles.
final class Child {
  let role: String
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var unread = ""

  /// How long anything may take before it counts as hung.
  static let patience = 60.0

  /// Starts the process.
  init(_ role: String, _ arguments: [String]) throws {
    self.role = role
    process.executableURL = URL(filePath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    process.arguments = [role] + arguments
    process.standardInput = input
    process.standardOutput = output
    try process.run()
  }

  var processID: Int32 { process.processIdentifier }

  /// Waits for a line that begins so; the line. A line that says what is wrong is thrown.
  @discardableResult
  func line(_ beginning: String) throws -> String {
    let deadline = Date(timeIntervalSinceNow: Self.patience)
    while true {
      while let end = unread.firstIndex(of: "\n") {
        let line = String(unread[..<end])
        unread.removeSubrange(...end)
        if line.hasPrefix("wrong") { throw ChaosError("\(self): \(line)") }
        if line.hasPrefix(beginning) { return line }
      }
      guard let more = try read(until: deadline) else {
        throw ChaosError("\(self) hangs: “\(beginning)” did not come in \(Self.patience) seconds")
      }
      guard !more.isEmpty else { throw ChaosError("\(self) ended before it said “\(beginning)”") }
      unread += more
    }
  }

  /// What the process has printed, empty at its end; nil when nothing came until the deadline.
  private func read(until deadline: Date) throws -> String? {
    let descriptor = output.fileHandleForReading.fileDescriptor
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let left = max(0, deadline.timeIntervalSinceNow * 1000)
    guard poll(&entry, 1, Int32(left)) > 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0 else { throw ChaosError("cannot read from \(self): errno \(errno)") }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// Ends the process at once, and waits for its end. A process that had ended by itself, or had said that something was
  /// wrong, is thrown.
  func kill() throws {
    Glibc.kill(processID, SIGKILL)
    process.waitUntilExit()
    guard process.terminationReason == .uncaughtSignal, process.terminationStatus == SIGKILL else {
      throw ChaosError("\(self) ended by itself, with \(process.terminationStatus)")
    }
    let deadline = Date(timeIntervalSinceNow: Self.patience)
    while let more = try read(until: deadline), !more.isEmpty { unread += more }
    if let line = unread.split(separator: "\n").first(where: { $0.hasPrefix("wrong") }) {
      throw ChaosError("\(self): \(line)")
    }
  }

  /// Ends the process, whatever it was about.
  func abandon() {
    Glibc.kill(processID, SIGKILL)
    process.waitUntilExit()
  }

  /// Ends its input, and waits for what it says at its orderly end.
  func finish() throws -> String {
    try input.fileHandleForWriting.close()
    let last = try line("done")
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw ChaosError("\(self) ended with \(process.terminationStatus)")
    }
    return last
  }
}

extension Child: CustomStringConvertible {
  var description: String { "\(role) \(processID)" }
}
