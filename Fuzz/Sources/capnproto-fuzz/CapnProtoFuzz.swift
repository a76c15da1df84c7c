import CFuzzer
import CapnProto

/// What is fuzzed. Each run takes bytes that the fuzzer made up, and traps if what must hold does not.
enum Target: String, CaseIterable {
  case reader, packed, stream, builder

  /// Runs once; 0 says that the input may be kept.
  func run(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    switch self {
    case .reader: ReaderTarget.run(input)
    case .packed: PackedTarget.run(input)
    case .stream: StreamTarget.run(input)
    case .builder: BuilderTarget.run(input)
    }
    return 0
  }

  /// Inputs to begin with.
  func seeds() throws -> [[UInt8]] {
    switch self {
    case .reader: try ReaderTarget.seeds()
    case .packed: try PackedTarget.seeds()
    case .stream: try StreamTarget.seeds()
    case .builder: BuilderTarget.seeds()
    }
  }
}

/// `capnproto-fuzz TARGET [libFuzzer's arguments]` fuzzes; `capnproto-fuzz TARGET --seeds` prints what to begin with, an
/// input per line, in hexadecimal digits.
@main
enum CapnProtoFuzz {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count > 1, let target = Target(rawValue: arguments[1]) else {
      print(
        "capnproto-fuzz \(Target.allCases.map(\.rawValue).joined(separator: "|")) [--seeds | libFuzzer's arguments]")
      return
    }
    if arguments.dropFirst(2).first == "--seeds" {
      for seed in try target.seeds() { print(seed.map { byte in hexadecimal(byte) }.joined()) }
      return
    }
    fuzz(target, [arguments[0]] + arguments.dropFirst(2))
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }

  private static func fuzz(_ target: Target, _ arguments: [String]) {
    var count = Int32(arguments.count)
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { argument in
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: argument.utf8.count + 1)
      argument.withCString { copy.update(from: $0, count: argument.utf8.count + 1) }
      return copy
    }
    pointers.append(nil)
    pointers.withUnsafeMutableBufferPointer { buffer in
      var start = buffer.baseAddress
      // A C function cannot capture the target.
      switch target {
      case .reader: LLVMFuzzerRunDriver(&count, &start) { Target.reader.run($0, $1) }
      case .packed: LLVMFuzzerRunDriver(&count, &start) { Target.packed.run($0, $1) }
      case .stream: LLVMFuzzerRunDriver(&count, &start) { Target.stream.run($0, $1) }
      case .builder: LLVMFuzzerRunDriver(&count, &start) { Target.builder.run($0, $1) }
      }
    }
  }
}
