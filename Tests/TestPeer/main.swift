// The other process of the two-process tests.
//
//   TestPeer serve DIR CLIENT...   serves the app named like the last part of DIR until standard input ends
//   TestPeer hold DIR              a client that asks for a payload and holds it
//   TestPeer answer DIR            a client that opens a channel and answers, as the server does
//   TestPeer memory DIR BYTES...   a client that asks for payloads and says how its private memory grew
//
// It prints a line for each thing that a test may wait for, and exits with 1 and a line on standard error if it fails.

import Foundation
import Sluice
import SystemPackage
import TestSchema

do {
  let arguments = Array(CommandLine.arguments.dropFirst())
  guard arguments.count >= 2 else { throw PeerError("usage: TestPeer MODE DIR ...") }
  let directory = FilePath(arguments[1])
  let app = ServerApp(
    directory.lastComponent?.string ?? "", allowing: Array(arguments.dropFirst(2)), runtimeDirectory: directory)
  switch arguments[0] {
  case "serve": try await serve(app)
  case "hold": try await hold(app)
  case "answer": try await answer(app)
  case "memory": try await memory(app, sizes: arguments.dropFirst(2).compactMap { Int($0) })
  default: throw PeerError("no such mode: \(arguments[0])")
  }
} catch {
  _ = try? FileDescriptor.standardError.writeAll("TestPeer: \(error)\n".utf8)
  exit(1)
}
