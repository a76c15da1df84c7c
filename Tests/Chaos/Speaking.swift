import Foundation
import SystemPackage

/// Why a role or the driver gave up.
struct ChaosError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Prints a line at once, whatever standard output is.
func say(_ line: String) {
  _ = try? FileDescriptor.standardOutput.writeAll((line + "\n").utf8)
}

/// Waits until standard input ends; on a thread of its own, as those of tasks must not block.
func endOfInput() async {
  await withCheckedContinuation { (ended: CheckedContinuation<Void, Never>) in
    Thread.detachNewThread {
      while readLine() != nil {}
      ended.resume()
    }
  }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}
