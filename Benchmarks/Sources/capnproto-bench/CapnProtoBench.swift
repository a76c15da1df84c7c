import CAllocations
import CapnProto
import Glibc

/// How a load's message gets from who builds it to who reads it.
enum Mode: Int, CaseIterable {
  /// Read where it was built.
  case objects
  /// Built once; only reading counts.
  case reading
  /// As bytes.
  case bytes
  /// As packed bytes.
  case packed
}

/// Runs `load` `count` times; what comes out must be the same as in C++.
func run<L: Load>(_ load: L.Type, _ mode: Mode, seed: UInt32, count: Int) throws -> UInt64 {
  var random = Random(seed: seed)
  var checksum: UInt64 = 0
  if mode == .reading {
    var message = try MessageBuilder(L.Root.self)
    L.build(message.root, &random)
    let limits = ReadLimits(traversalWords: .max, totalWords: .max)
    let reader = try MessageReader(L.Root.self, stream: message.serialized(), limits: limits)
    for _ in 0..<count { checksum = try checksum &* 31 &+ L.read(reader.root) }
    return checksum
  }
  for _ in 0..<count {
    var message = try MessageBuilder(L.Root.self)
    L.build(message.root, &random)
    let value: UInt64
    switch mode {
    case .objects: value = try message.read { root in try L.read(root) }
    case .bytes:
      // In place, as the reader of flat arrays does it in C++.
      let bytes = try message.serialized()
      value = try MessageView<L.Root>.read(stream: bytes.span.bytes) { root in try L.read(root) }
    case .packed:
      let bytes = try message.packed()
      let reader = try MessageReader(L.Root.self, packed: bytes.span.bytes)
      value = try L.read(reader.root)
    case .reading: value = 0
    }
    checksum = checksum &* 31 &+ value
  }
  return checksum
}

/// The time that this thread has spent, in nanoseconds.
func cpuTime() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// `capnproto-bench LIBRARY [--json] [--rounds N]` runs each load in each mode in Swift and, through the library that
/// `make bench-capnproto` builds, in C++, by turns, and prints CPU times as ratios.
@main
enum CapnProtoBench {
  typealias CxxLoad = @convention(c) (Int32, Int32, UInt32, Int32) -> UInt64

  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard let path = arguments.first, let library = dlopen(path, RTLD_NOW),
      let symbol = dlsym(library, "sluice_run_load")
    else {
      print("capnproto-bench LIBRARY [--json] [--rounds N]; make bench-capnproto builds the library")
      exit(2)
    }
    let cxx = unsafeBitCast(symbol, to: CxxLoad.self)
    let option = arguments.firstIndex(of: "--rounds").flatMap {
      $0 + 1 < arguments.endIndex ? Int(arguments[$0 + 1]) : nil
    }
    let rounds = max(option ?? 60, 2)
    let json = arguments.contains("--json")
    if !json { print("load   mode      Swift us  C++ us  ratio  ratio of p99") }
    var lines: [String] = []
    for (load, name) in ["cars", "hits", "eval"].enumerated() {
      for mode in Mode.allCases {
        let line = try compare(load, name, mode, rounds: rounds, json: json, cxx)
        if json { lines.append(line) } else { print(line) }
      }
    }
    if json { print("[\n" + lines.joined(separator: ",\n") + "\n]") }
    for (load, name) in ["cars", "hits", "eval"].enumerated() {
      let count = try allocationCount(load)
      guard count == 0 else { fatalError("\(name): \(count) allocations when a message is read a thousand times more") }
    }
    if !json { print("Allocations while fields are read: none.") }
  }

  /// How often memory is allocated when a message is read a thousand times more.
  private static func allocationCount(_ load: Int) throws -> Int {
    let counts = try [10, 1010].map { count in
      let before = bench_allocation_count()
      _ = try swift(load, .reading, 1, count)
      return Int(bench_allocation_count() - before)
    }
    guard counts[0] > 0 else { fatalError("allocations are not counted") }
    return counts[1] - counts[0]
  }

  private static func swift(_ load: Int, _ mode: Mode, _ seed: UInt32, _ count: Int) throws -> UInt64 {
    switch load {
    case 0: try run(Cars.self, mode, seed: seed, count: count)
    case 1: try run(Hits.self, mode, seed: seed, count: count)
    default: try run(Eval.self, mode, seed: seed, count: count)
    }
  }

  private static func compare(
    _ load: Int, _ name: String, _ mode: Mode, rounds: Int, json: Bool, _ cxx: CxxLoad
  ) throws -> String {
    let count = load == 2 ? 100 : mode == .reading ? 100 : 20
    var (ours, theirs): ([Int], [Int]) = ([], [])
    for round in 0..<rounds + 2 {
      let seed = UInt32(round * 7919 + 12345)
      var times = (0, 0)
      var results: (UInt64, UInt64) = (0, 0)
      // Who is first alternates.
      for turn in 0..<2 {
        let start = cpuTime()
        if (turn + round) % 2 == 0 {
          results.0 = try swift(load, mode, seed, count)
          times.0 = cpuTime() - start
        } else {
          results.1 = cxx(Int32(load), Int32(mode.rawValue), seed, Int32(count))
          times.1 = cpuTime() - start
        }
      }
      guard results.0 == results.1 else { fatalError("\(name), \(mode): Swift and C++ differ") }
      // The first rounds warm up.
      if round >= 2 {
        ours.append(times.0 / count)
        theirs.append(times.1 / count)
      }
    }
    ours.sort()
    theirs.sort()
    let ratio = Double(ours[rounds / 2]) / Double(theirs[rounds / 2])
    let tail = Double(ours[rounds * 99 / 100]) / Double(theirs[rounds * 99 / 100])
    if json {
      return
        "  {\"load\": \"\(name)\", \"mode\": \"\(mode)\", \"swift_ns\": \(ours[rounds / 2]), \"cxx_ns\": \(theirs[rounds / 2]), "
        + "\"ratio\": \(rounded(ratio)), \"p99_ratio\": \(rounded(tail))}"
    }
    let columns = [
      (name, 5), ("\(mode)", 8), ("\(rounded(Double(ours[rounds / 2]) / 1000))", 9),
      ("\(rounded(Double(theirs[rounds / 2]) / 1000))", 7), ("\(rounded(ratio))", 6), ("\(rounded(tail))", 6),
    ]
    return columns.map { $0 + String(repeating: " ", count: max($1 - $0.count, 0)) }.joined(separator: "  ")
  }

  private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
