import Glibc
import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage
import Testing
import TestSupport

@Suite("Every transport, short of resources or interrupted,") struct ResourceConformanceTests {
  @Test("loses nothing while signals interrupt every call", arguments: PairKind.allCases)
  func signalStorm(kind: PairKind) async {
    await #expect(processExitsWith: .success) { [kind = kind.rawValue as String] in
      guard let kind = PairKind(rawValue: kind) else { throw PeerError("no such kind") }
      try SignalStorm.start()
      let (left, right) = try kind.pair(maxBlobSize: 20_000)
      let peer = try WorkerThread(name: "echo") { try? PeerScript.echo.run(right, control: nil) }
      var random = SeededGenerator(seed: 1)
      for number in 0..<2000 {
        // Most are small; some find no room at once, so that both ends wait for room as well.
        let size = number.isMultiple(of: 10) ? 20_000 : .random(in: 0...100, using: &random)
        let blob = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
        if number.isMultiple(of: 2) {
          try blocking { try left.send(blob) }
          #expect(try blocking { try left.receive(deadline: patience()) }?.bytes == blob)
        } else {
          try await left.send(blob.span.bytes, deadline: patience())
          let frame = try await left.receive(deadline: patience())
          #expect(frame?.bytes == blob)
        }
      }
      try left.finishSending()
      peer.join()
      #expect(SignalStorm.count > 0)
    }
  }

  @Test("says what is missing when the descriptor table is full, and leaks nothing", arguments: PairKind.allCases)
  func descriptorTable(kind: PairKind) async {
    await #expect(processExitsWith: .success) { [kind = kind.rawValue as String] in
      guard let kind = PairKind(rawValue: kind) else { throw PeerError("no such kind") }
      _ = try kind.pair()
      _ = Reactor.shared
      var limit = rlimit(rlim_cur: 128, rlim_max: 128)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      var hoard: [Handle] = []
      while let handle = try? EventCounter().handle { hoard.append(handle) }
      let free = hoard.count
      var pair: (any Transport, any Transport)?
      while pair == nil && !hoard.isEmpty {
        // Twice: what the first failure left open would be missing now.
        for _ in 0..<2 where pair == nil {
          do {
            pair = try kind.pair()
          } catch {
            #expect("\(error)".contains("errno 24") || "\(error)".contains("RLIMIT_NOFILE"), "\(error)")
          }
        }
        if pair == nil { hoard.removeLast() }
      }
      // With no descriptor left over it works.
      let (left, right) = try #require(pair)
      #expect(try left.trySend([1]) == .sent)
      #expect(try right.tryReceiveFrame()?.bytes == [1])
      pair = nil
      hoard.removeAll()
      while let handle = try? EventCounter().handle { hoard.append(handle) }
      #expect(hoard.count <= free)
    }
  }

  @Test(
    "gives the memory of a large frame back when nothing follows it", .disabled(if: isSanitized),
    arguments: PairKind.crossingProcesses)
  func largeFrame(kind: PairKind) async {
    await #expect(processExitsWith: .success) { [kind = kind.rawValue as String] in
      guard let kind = PairKind(rawValue: kind) else { throw PeerError("no such kind") }
      let large = 32 << 20
      let (left, right) = try kind.pair(maxBlobSize: large)
      func residentByteCount() throws -> Int {
        let status = try ProcessFile.text("/proc/self/status").split(separator: "\n")
        let line = try #require(status.first { $0.hasPrefix("RssAnon:") })
        return try #require(Int(line.filter(\.isNumber))) << 10
      }
      // The sender's own memory is there before and after.
      let blob = [UInt8](repeating: 1, count: large)
      let before = try residentByteCount()
      let sender = try WorkerThread(name: "sender") {
        try? blocking { try left.send(blob.span.bytes, deadline: patience()) }
      }
      let during = try blocking {
        try right.receive(deadline: patience()) { frame, _ in
          #expect(frame.byteCount == large)
          return (try? residentByteCount()) ?? 0
        }
      }
      #expect(try #require(during) > before + large / 2, "it was copied to private memory")
      sender.join()
      #expect(try right.tryReceive { _, _ in } == .wouldBlock)
      #expect(try residentByteCount() < before + large / 4)
    }
  }

  @Test("leaves no descriptor and no mapping behind", arguments: PairKind.allCases)
  func leaks(kind: PairKind) async {
    await #expect(processExitsWith: .success) { [kind = kind.rawValue as String] in
      guard let kind = PairKind(rawValue: kind) else { throw PeerError("no such kind") }
      func round(_ number: Int) throws {
        let (left, right) = try kind.pair(maxBlobSize: 100_000)
        _ = try left.trySend([UInt8](repeating: 1, count: 100_000))
        _ = try left.trySend([2])
        _ = try right.tryReceive { _, _ in }
        _ = (left.readDescriptor, left.writeDescriptor)
        switch number % 4 {
        case 0: left.close()
        case 1: right.close()
        case 2: try left.finishSending()
        default: break
        }
      }
      func mappingCount() throws -> Int {
        try String(decoding: readFile("/proc/self/maps"), as: UTF8.self).split(separator: "\n").count
      }
      for number in 0..<8 { try round(number) }
      let before = (try openDescriptorCount(), try mappingCount())
      for number in 0..<300 { try round(number) }
      // The runtime opens and maps a few whenever it likes; a leak would be one a round.
      #expect(try openDescriptorCount() < before.0 + 30)
      #expect(try mappingCount() < before.1 + 30)
    }
  }
}

/// A timer that interrupts whatever thread it meets, a few thousand times a second; its handler does not ask for calls to
/// be restarted.
enum SignalStorm {
  // The handler may run on several threads at once; an atomic needs no lock, which a handler must not take.
  private static let received = Atomic<Int>(0)

  static var count: Int { received.load(ordering: .relaxed) }

  static func start() throws {
    // Made now, not by the handler.
    received.store(0, ordering: .relaxed)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in SignalStorm.received.add(1, ordering: .relaxed) }
    action.sa_flags = 0
    guard sigaction(SIGALRM, &action, nil) == 0 else { throw PeerError("sigaction: \(errno)") }
    let period = timeval(tv_sec: 0, tv_usec: 200)
    var timer = itimerval(it_interval: period, it_value: period)
    guard setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil) == 0 else { throw PeerError("setitimer") }
  }
}

/// Whether a sanitizer's own memory is to be expected beside ours.
#if SANITIZED
  private let isSanitized = true
#else
  private let isSanitized = false
#endif

func readFile(_ path: FilePath) throws -> [UInt8] {
  let file = try Handle.open(path, .readOnly)
  var bytes: [UInt8] = []
  var part = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = try part.withUnsafeMutableBytes { try file.descriptor.read(into: $0) }
    if count == 0 { return bytes }
    bytes.append(contentsOf: part.prefix(count))
  }
}
