import Foundation
import SystemPackage

/// Prints a line at once, whatever standard output is.
public func say(_ line: String) {
  _ = try? FileDescriptor.standardOutput.writeAll((line + "\n").utf8)
}

/// Waits until standard input ends; on a thread of its own, as those of tasks must not block.
public func endOfInput() async {
  await withCheckedContinuation { (ended: CheckedContinuation<Void, Never>) in
    Thread.detachNewThread {
      while readLine() != nil {}
      ended.resume()
    }
  }
}
