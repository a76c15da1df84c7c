import Foundation

/// Tells on standard error what is going on: on a terminal in one line that changes, elsewhere one line per step.
struct Progress: Sendable {
  private let isTerminal: Bool

  init() { isTerminal = isatty(STDERR_FILENO) == 1 }

  /// Begins a step.
  func step(_ text: String) { Terminal.tell(isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n") }

  /// Says how far a step is; only on a terminal.
  func update(_ text: String) {
    if isTerminal { Terminal.tell("\r\u{1B}[K\(text)") }
  }

  /// Leaves the line free for what comes next.
  func finish() {
    if isTerminal { Terminal.tell("\r\u{1B}[K") }
  }
}
