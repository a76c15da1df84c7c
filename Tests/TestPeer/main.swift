// The other process of the two-process tests.
//
//   TestPeer serve DIR CLIENT...   serves the app named like the last part of DIR until standard input ends
//   TestPeer hold DIR              a client that asks for a payload and holds it
//   TestPeer answer DIR            a client that opens a channel and answers, as the server does
//   TestPeer memory DIR BYTES...   a client that asks for payloads and says how its private memory grew
//   TestPeer ask DIR NAME          a client of that name that asks once, says what became of it, and then stays until
//                                  standard input ends
//
// After these, in any order: `uid=N` and `gid=N` to run as that user and group, `groups=N` for a supplementary group,
// `access=group|anyone`, `server=N` and `group=N` for the server's user and group, `fork` to leave a child behind.
//
// It prints a line for each thing that a test may wait for, and exits with 1 and a line on standard error if it fails.

import Foundation
import Sluice
import SystemPackage
import TestSchema

do {
  let words = CommandLine.arguments.dropFirst()
  let arguments = words.filter { !$0.contains("=") && $0 != "fork" }
  let settings = Settings(words)
  guard arguments.count >= 2 else { throw PeerError("usage: TestPeer MODE DIR ...") }
  try settings.becomeUser()
  let directory = FilePath(arguments[1])
  let app = ServerApp(
    directory.lastComponent?.string ?? "", allowing: arguments.dropFirst(2).map { ClientApp($0) },
    access: settings.access, uid: settings["server"], gid: settings["group"], runtimeDirectory: directory)
  switch arguments[0] {
  case "serve": try await serve(app, leavingChild: words.contains("fork"))
  case "hold": try await hold(app)
  case "answer": try await answer(app)
  case "memory": try await memory(app, sizes: arguments.dropFirst(2).compactMap { Int($0) })
  case "ask": try await askOnce(app, as: arguments.dropFirst(2).first ?? "test-client")
  default: throw PeerError("no such mode: \(arguments[0])")
  }
} catch {
  _ = try? FileDescriptor.standardError.writeAll("TestPeer: \(error)\n".utf8)
  exit(1)
}
