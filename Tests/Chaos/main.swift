// Kills processes at random moments, and looks whether the others go on, and what is left.
//
//   chaos [kills=1000] [seed=N] [clients=3] [link=ring|socket|queue] [backing=sealed|named]
//
// starts a server and clients as processes of this program (`chaos serve …`, `chaos ask …`), kills one after the other with
// SIGKILL and starts it again, and exits with 0 if nobody hung, each answer was right, each request was answered or failed,
// and nothing is left: no process, file, segment, descriptor, mapping or lease. Without `link` and `backing`, the kills are
// divided among all of them. The same seed makes the same choices; when the processes are hit is the machine's.

import Foundation
import Sluice
import SystemPackage

do {
  let words = Array(CommandLine.arguments.dropFirst())
  let settings = Settings(words.filter { $0.contains("=") })
  switch words.first {
  case "serve": try await serve(Setting(settings))
  case "ask": try await ask(Setting(settings))
  case "contend": try await contend(Setting(settings).app)
  default: try drive(settings)
  }
} catch {
  _ = try? FileDescriptor.standardError.writeAll("chaos: \(error)\n".utf8)
  exit(1)
}
