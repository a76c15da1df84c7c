import CapnProto
import CapnProtoSchema
import Foundation

// A plugin of `capnp compile`: reads a CodeGeneratorRequest on standard input and writes one Swift file for each requested
// file into the working directory.
do {
  let input = try FileHandle.standardInput.readToEnd() ?? Data()
  let sources = try Invocation.sources(for: [UInt8](input), environment: ProcessInfo.processInfo.environment)
  // Only after everything was generated: an error leaves no half of an output.
  for source in sources {
    let file = URL(filePath: source.path)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(source.text.utf8).write(to: file, options: .atomic)
  }
} catch {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
  exit(1)
}
