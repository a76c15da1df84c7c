// The other process of the two-process tests.
//
//   TestPeer serve DIR CLIENT...   serves the app named like the last part of DIR until standard input ends
//   TestPeer hold DIR              a client that asks for a payload and holds it
//   TestPeer answer DIR            a client that opens a channel and answers, as the server does
//   TestPeer memory DIR BYTES...   a client that asks for payloads and says how its private memory grew
//   TestPeer churn DIR COUNT       a client that allocates much and often, at both ends
//   TestPeer steady DIR BYTES...   a client that sends payloads, and says how many pages that takes; `steady-named` in named
//                                  segments
//   TestPeer scan DIR BYTE...      a client that reads all that it may map, and looks for bytes and for the owner's pointers
//   TestPeer gigabyte DIR          a client that asks for 1 GiB, and says where it reads it
//   TestPeer outlive DIR           a client that holds messages longer than their session
//   TestPeer attack DIR            a client that tries to write to what it borrowed
//   TestPeer relay DIR DIR         a client of the first that serves the second, and sends on what it receives
//   TestPeer listen DIR DIR        a client of both
//   TestPeer serve-named DIR       as serve, with named segments
//   TestPeer hold-named DIR        as hold, with named segments
//   TestPeer reopen DIR COUNT      a client that opens and closes sessions, and says what both ends take
//   TestPeer many DIR COUNT        a client with so many sessions at once; `many-alone` serves them in the same process
//   TestPeer channels DIR COUNT    a client with so many channels in one session
//   TestPeer forge DIR             a client that sends messages with forged pointers
//   TestPeer scribble DIR          a client that changes a message while it is read
//   TestPeer soak DIR              a client with mixed traffic; at each line of standard input it says how it fared
//   TestPeer flood DIR             a client that asks and tells as much as it can
//   TestPeer ask DIR NAME          a client of that name that asks once, says what became of it, and then stays until
//                                  standard input ends
//
// After these, in any order: `uid=N` and `gid=N` to run as that user and group, `groups=N` for a supplementary group,
// `link=ring|socket|queue` for what carries the sessions of `serve` and `hold`, `access=group|anyone`, `server=N` and `group=N` for the server's user and group, `fork` to leave a child behind.
//
// It prints a line for each thing that a test may wait for, and exits with 1 and a line on standard error if it fails.

import Foundation
import Sluice
import SystemPackage
import TestSchema

func served(_ path: String) -> ServerApp {
  ServerApp(
    FilePath(path).lastComponent?.string ?? "", allowing: ["test-client"], runtimeDirectory: FilePath(path))
}

do {
  let words = CommandLine.arguments.dropFirst()
  let arguments = words.filter { !$0.contains("=") && $0 != "fork" }
  let settings = Settings(words)
  guard arguments.count >= 2 else { throw PeerError("usage: TestPeer MODE DIR ...") }
  try settings.becomeUser()
  // It writes to pipes of peers that are killed.
  signal(SIGPIPE, SIG_IGN)
  let directory = FilePath(arguments[1])
  let app = ServerApp(
    directory.lastComponent?.string ?? "", allowing: arguments.dropFirst(2).map { ClientApp($0) },
    access: settings.access, uid: settings["server"], gid: settings["group"], runtimeDirectory: directory)
  switch arguments[0] {
  case "serve": try await serve(app, leavingChild: words.contains("fork"), options: settings.options)
  case "serve-named":
    try await serve(ServerApp(app.name, allowing: ["test-client"], runtimeDirectory: directory), options: .named)
  case "hold-named": try await holdNamed(app)
  case "churn": try await churn(served(arguments[1]), count: Int(arguments[2]) ?? 0)
  case "steady", "steady-named":
    try await steady(
      served(arguments[1]), sizes: arguments.dropFirst(2).compactMap { Int($0) },
      options: arguments[0] == "steady" ? SessionOptions() : .named)
  case "scan": try await scan(served(arguments[1]), bytes: arguments.dropFirst(2).compactMap { UInt8($0) })
  case "gigabyte": try await readGigabyte(served(arguments[1]))
  case "outlive": try await outlive(served(arguments[1]), options: settings.options)
  case "attack": try await attack(app)
  case "relay": try await relay(served(arguments[1]), served(arguments[2]))
  case "keep": try await keep(served(arguments[1]), served(arguments[2]))
  case "listen": try await listen(served(arguments[1]), served(arguments[2]))
  case "hold": try await hold(app, options: settings.options)
  case "forge": try await forge(app)
  case "scribble": try await scribble(app)
  case "soak": try await soak(served(arguments[1]))
  case "flood": try await flood(served(arguments[1]))
  case "reopen": try await reopen(served(arguments[1]), count: Int(arguments[2]) ?? 0)
  case "many": try await openMany(served(arguments[1]), count: Int(arguments[2]) ?? 0, inOneProcess: false)
  case "many-alone": try await openMany(served(arguments[1]), count: Int(arguments[2]) ?? 0, inOneProcess: true)
  case "channels": try await openChannels(served(arguments[1]), count: Int(arguments[2]) ?? 0)
  case "answer": try await answer(app)
  case "memory": try await memory(app, sizes: arguments.dropFirst(2).compactMap { Int($0) })
  case "ask": try await askOnce(app, as: arguments.dropFirst(2).first ?? "test-client")
  default: throw PeerError("no such mode: \(arguments[0])")
  }
} catch {
  _ = try? FileDescriptor.standardError.writeAll("TestPeer: \(error)\n".utf8)
  exit(1)
}
