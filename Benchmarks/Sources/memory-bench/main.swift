// What shared memory costs: leases, payloads of three sizes between two processes, fragmentation, and native containers.
//
//   memory-bench [loans|fragmentation|containers|payloads]...   prints a table: what was measured, and what it may be
//   memory-bench serve|exchange PLACEMENT DIR MEMORY            the two processes that pass payloads

import Foundation
import Sluice

let arguments = CommandLine.arguments.dropFirst()
switch arguments.first {
case "serve": try servePayloads(Meeting(arguments.dropFirst()))
case "exchange": try measurePayloads(Meeting(arguments.dropFirst()))
default:
  func isWanted(_ part: String) -> Bool { arguments.isEmpty || arguments.contains(part) }
  if isWanted("loans") { try measureLoans() }
  if isWanted("fragmentation") { try measureFragmentation() }
  if isWanted("containers") { try measureContainers() }
  if isWanted("payloads") { try measurePayloads() }
}

/// One row of the table.
func report(_ what: String, _ figure: String, budget: String) {
  print(
    what.padding(toLength: 56, withPad: " ", startingAt: 0), figure.padding(toLength: 32, withPad: " ", startingAt: 0),
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
