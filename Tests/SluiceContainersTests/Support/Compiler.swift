import Foundation
import Subprocess

/// Compiles against the modules that are being tested, up to the analysis of lifetimes.
enum Compiler {
  static func check(_ source: String) async throws -> (succeeded: Bool, diagnostics: String) {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-check-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appending(path: "Check.swift")
    try source.write(to: file, atomically: true, encoding: .utf8)
    // The test runner stands in the build directory, beside the modules.
    let products = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    var arguments = [
      "-emit-sil", "-o", directory.appending(path: "Check.sil").path(), "-swift-version", "6",
      "-enable-experimental-feature", "Lifetimes", "-diagnostic-style=llvm", "-module-cache-path",
      products.appending(path: "ModuleCache").path(), "-I", products.appending(path: "Modules").path(),
    ]
    // The C modules that are imported on the way.
    let scratch = products.deletingLastPathComponent().deletingLastPathComponent()
    let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    for folder in [
      package.appending(path: "Sources/CJemalloc"),
      scratch.appending(path: "checkouts/swift-system/Sources/CSystem/include"),
    ] {
      arguments += ["-I", folder.path()]
    }
    let map = products.appending(path: "CSluice.build/module.modulemap")
    arguments += ["-Xcc", "-fmodule-map-file=\(map.path())", file.path()]
    let result = try await run(
      .name("swiftc"), arguments: Arguments(arguments), output: .discarded, error: .string(limit: 1 << 20))
    return (result.terminationStatus.isSuccess, result.standardError)
  }
}
