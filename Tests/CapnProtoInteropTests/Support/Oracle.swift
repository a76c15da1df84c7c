import Foundation
import Subprocess
import SystemPackage

/// The C++ program in `Oracle/oracle.cpp`, compiled against libcapnp once for all tests.
struct Oracle {
  private let directory: TemporaryDirectory

  /// The one oracle; the first use compiles it.
  static var shared: Oracle {
    get async throws { try await building.value }
  }

  private static let building = Task { try await Oracle() }

  private init() async throws {
    directory = try TemporaryDirectory()
    let schemas = ["everything.capnp", "evolution-old.capnp", "evolution-new.capnp", "imported/imported.capnp"]
    try await Tool.output(
      Tool.capnp,
      ["compile", "-oc++:\(directory.url.path)", "--src-prefix=\(Tool.schema(""))"] + schemas.map(Tool.schema))
    let flags = try await Tool.output(.name("pkg-config"), ["--cflags", "--libs", "capnp"])
    try await Tool.output(
      .name("g++"),
      ["-std=c++17", "-O0", "-I\(directory.url.path)", "-o", program]
        + [Tool.sources.appending(path: "Oracle/oracle.cpp").path]
        + schemas.map { directory.url.appending(path: $0 + ".c++").path }
        + String(decoding: flags, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init))
  }

  private var program: String { directory.url.appending(path: "oracle").path }

  /// The message called `what`, as libcapnp writes it; with `tiny`, in segments of a few words.
  func write(_ what: String, tiny: Bool = false, _ form: Form = .stream) async throws -> [UInt8] {
    try await Tool.output(.path(FilePath(program)), ["write", what] + (tiny ? ["tiny"] : []) + form.options)
  }

  /// Lets libcapnp check every value of the message `bytes`; throws what differs.
  func check(_ what: String, _ bytes: [UInt8], _ form: Form = .stream) async throws {
    try await Tool.output(.path(FilePath(program)), ["check", what] + form.options, input: bytes)
  }
}

/// How a message is written.
enum Form: CaseIterable, Sendable {
  case stream, packed, canonical, packedCanonical

  var isPacked: Bool { self == .packed || self == .packedCanonical }
  var isCanonical: Bool { self == .canonical || self == .packedCanonical }

  /// What the oracle calls it.
  var options: [String] { (isPacked ? ["packed"] : []) + (isCanonical ? ["canonical"] : []) }
}
