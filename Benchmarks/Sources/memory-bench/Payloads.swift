import BenchSchema
import Foundation
import Sluice
import SystemPackage

private func app(_ directory: String) -> ServerApp {
  ServerApp("memory-bench", allowing: ["memory-bench-client"], runtimeDirectory: FilePath(directory))
}

/// Reads all of some memory, 64 bytes at a time.
private func sum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  guard let base = bytes.baseAddress else { return 0 }
  var sums = SIMD8<UInt64>()
  for offset in stride(from: 0, to: bytes.count & ~63, by: 64) {
    sums &+= base.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
  }
  return sums.wrappedSum()
}

/// Reads each request whole, and answers with a sum.
func servePayloads(in directory: String) throws {
  let server = try SessionServer(app(directory))
  try FileDescriptor.standardOutput.writeAll("ready\n".utf8)
  guard let session = try server.nextSessionSync(), let channel = try session.nextChannelSync(of: Ping.self) else {
    return
  }
  while let request = try channel.nextRequestSync() {
    let total = try request.message.read { root in
      let data = try root.payload
      return data.withUnsafeBytes { sum($0) }
    }
    var reply = try channel.makeMessage()
    reply.root.initPayload(byteCount: 8) { output in output.append(total, as: UInt64.self) }
    try request.replySync(reply)
  }
}

/// Payloads built fresh, sent, read whole by another process and released, against writing and reading warm memory here.
func measurePayloads() throws {
  let directory = "/tmp/sluice-memory-bench-\(getpid())"
  defer { try? FileManager.default.removeItem(atPath: directory) }
  let server = Process()
  server.executableURL = URL(filePath: "/proc/self/exe")
  server.arguments = ["serve", directory]
  let output = Pipe()
  server.standardOutput = output
  try server.run()
  defer { server.terminate() }
  _ = try output.fileHandleForReading.read(upToCount: 6)

  let session = try ClientSession.connectSync(ClientApp("memory-bench-client"), to: app(directory))
  let channel = try session.openChannelSync(Ping.self)
  for megabytes in [1, 10, 100] {
    let byteCount = megabytes << 20
    let warm = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 4096)
    defer { warm.deallocate() }
    var baselines: [Double] = []
    var exchanges: [Double] = []
    for round in 0..<(megabytes == 100 ? 30 : 100) {
      let start = wallTime()
      if let base = warm.baseAddress { memset(base, Int32(round & 0x7f), byteCount) }
      let expected = sum(UnsafeRawBufferPointer(warm))
      let middle = wallTime()
      var request = try channel.makeMessage()
      request.root.initPayload(byteCount: byteCount) { output in
        output.withUnsafeMutableBytes { bytes, count in
          if let base = bytes.baseAddress { memset(base, Int32(round & 0x7f), byteCount) }
          count = byteCount
        }
      }
      let response = try channel.requestSync(request)
      let found = try response.read { root in
        let payload = try root.payload
        return payload.unsafeLoad(as: UInt64.self)
      }
      guard found == expected else { throw BenchError("another sum at the other end") }
      let end = wallTime()
      if round >= 5 {
        baselines.append(middle - start)
        exchanges.append(end - middle)
      }
    }
    let (exchange, baseline) = (median(exchanges), median(baselines))
    report(
      "\(megabytes) MiB: built, sent, read whole, released",
      String(format: "%.2f x (%.2f ms)", exchange / baseline, exchange * 1000),
      budget: String(format: "<= 1.25 x memset and read (%.2f ms)", baseline * 1000))
  }
  session.close()
}

/// What went wrong, in one line.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
