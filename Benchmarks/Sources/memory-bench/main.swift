// What shared memory costs: leases, payloads of three sizes between two processes, and fragmentation.
//
//   memory-bench [loans|fragmentation|payloads]...   prints a table: what was measured, and what it may be
//   memory-bench serve DIR                           the other process

import Foundation
import Sluice

let arguments = CommandLine.arguments.dropFirst()
if arguments.first == "serve", let directory = arguments.last {
  try servePayloads(in: directory)
} else {
  func isWanted(_ part: String) -> Bool { arguments.isEmpty || arguments.contains(part) }
  if isWanted("loans") { try measureLoans() }
  if isWanted("fragmentation") { try measureFragmentation() }
  if isWanted("payloads") { try measurePayloads() }
}

/// One row of the table.
func report(_ what: String, _ figure: String, budget: String) {
  print(
    what.padding(toLength: 52, withPad: " ", startingAt: 0), figure.padding(toLength: 22, withPad: " ", startingAt: 0),
    budget)
}

/// The middle one of some figures.
func median(_ figures: [Double]) -> Double { figures.sorted()[figures.count / 2] }

/// Nanoseconds of processor time that this thread has used.
func threadTime() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
  return Double(now.tv_sec) * 1e9 + Double(now.tv_nsec)
}

/// Seconds on the clock.
func wallTime() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
