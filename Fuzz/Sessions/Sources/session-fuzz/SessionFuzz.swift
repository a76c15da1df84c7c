import CFuzzer
import Sluice
import SystemPackage

@testable import SluiceChannel
@testable import SluiceSession

/// What is fuzzed. Each run takes bytes that the fuzzer made up, and traps if what must hold does not.
enum Target: String, CaseIterable {
  /// A message on the control socket, the introduction first of all.
  case control
  /// An envelope.
  case envelope
  /// A conversation on a channel: frames that name real segments.
  case channel
  /// What a peer passes as memory.
  case descriptor

  /// Runs once; 0 says that the input may be kept.
  func run(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeRawBufferPointer(start: start, count: count))
    switch self {
    case .control: ControlTarget.run(input)
    case .envelope: EnvelopeTarget.run(input)
    case .channel: ChannelTarget.shared.run(input)
    case .descriptor: DescriptorTarget.run(input)
    }
    return 0
  }

  /// Inputs to begin with.
  func seeds() throws -> [[UInt8]] {
    switch self {
    case .control: try ControlTarget.seeds()
    case .envelope: EnvelopeTarget.seeds()
    case .channel: ChannelTarget.seeds()
    case .descriptor: DescriptorTarget.seeds()
    }
  }
}

/// `session-fuzz TARGET [libFuzzer's arguments]` fuzzes; `session-fuzz TARGET --seeds DIR` writes inputs to begin with.
@main
enum SessionFuzz {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count > 1, let target = Target(rawValue: arguments[1]) else {
      print(
        "session-fuzz \(Target.allCases.map(\.rawValue).joined(separator: "|")) [--seeds DIR | libFuzzer's arguments]")
      return
    }
    if arguments.dropFirst(2).first == "--seeds", arguments.count > 3 {
      for (index, seed) in try target.seeds().enumerated() {
        let file = try Handle.open(
          FilePath("\(arguments[3])/seed-\(index)"), .writeOnly, options: [.create, .truncate],
          permissions: .ownerReadWrite)
        try file.descriptor.writeAll(seed)
      }
      return
    }
    fuzz(target, [arguments[0]] + arguments.dropFirst(2))
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
      case .control: LLVMFuzzerRunDriver(&count, &start) { Target.control.run($0, $1) }
      case .envelope: LLVMFuzzerRunDriver(&count, &start) { Target.envelope.run($0, $1) }
      case .channel: LLVMFuzzerRunDriver(&count, &start) { Target.channel.run($0, $1) }
      case .descriptor: LLVMFuzzerRunDriver(&count, &start) { Target.descriptor.run($0, $1) }
      }
    }
  }
}
