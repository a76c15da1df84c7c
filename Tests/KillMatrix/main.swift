// Kills and stops a client or a server at each step of the protocol, and looks how the other end fares.
//
//   killmatrix DIR quick|all [only=STEP] [link=ring|socket|queue]
//
// The steps come from the protocol's schema and layouts: each kind of message that either end can send, as it is about to be
// sent, has been, is received, and has been dealt with. For each, this program starts itself as the other process, which
// sends itself SIGKILL or SIGSTOP exactly there. Here all that is pending must then fail with the right error: a killed
// process ends the session, a stopped one lets deadlines pass; it is made to go on, and then everything must go on. In the
// end nothing may be left: descriptors, mappings, files, leases. Fails if a step is never reached: a kind of message that the
// conversation of `Talk` does not have.
//
// `all` takes each step with each signal, link and backing; `quick` each kind of message with each signal over the ring, at
// one of its moments. It prints `step …` before each, `wrong …` for what went wrong, and `done COUNT` in the end.

import Foundation
import Glibc
import Sluice
import SystemPackage

/// How long one step may take before this process ends itself, by a signal.
let patienceInSeconds: UInt32 = 60

do {
  let arguments = Array(CommandLine.arguments.dropFirst())
  if arguments.first == "victim" {
    alarm(2 * patienceInSeconds)
    try await beVictim(Words(arguments))
    exit(0)
  }
  guard arguments.count >= 2, let extent = Extent(rawValue: arguments[1]) else {
    throw MatrixError("usage: killmatrix DIR quick|all [only=STEP] [link=KIND]")
  }
  let words = Words(arguments)
  let matrix = try Matrix(directory: arguments[0], extent)
  try await matrix.run(only: try? words["only"], link: try? words["link"])
} catch {
  _ = try? FileDescriptor.standardError.writeAll("killmatrix: \(error)\n".utf8)
  exit(1)
}
