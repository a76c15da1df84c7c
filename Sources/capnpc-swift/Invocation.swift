import CapnProto
import CapnProtoSchema

/// One run of the tool, without its I/O.
enum Invocation {
  /// A file to write.
  struct Source {
    var path: String
    var text: String
  }

  /// What to write for the request that `input` holds.
  static func sources(for input: [UInt8], environment: [String: String]) throws -> [Source] {
    guard !input.isEmpty else {
      throw GeneratorError(
        declaration: "",
        reason: "no request on standard input; run me as 'capnp compile -o/path/to/capnpc-swift[:outdir] FILE.capnp'")
    }
    let schema = try decode(input)
    let options = try Options(environment: environment)
    try options.check(schema)
    let generator = Generator(schema, options: options)
    try generator.checkTopLevelNames()
    return try schema.requestedFiles.map { file in
      Source(path: try outputPath(for: file.name), text: try generator.source(for: file))
    }
  }

  private static func decode(_ input: [UInt8]) throws -> Schema {
    do {
      let message = try MessageReader(
        CodeGeneratorRequest.self, stream: input, limits: .inPlace(byteCount: input.count))
      return try message.read { request in try RequestDecoder.schema(of: request, byteCount: input.count) }
    } catch let error as CapnProtoError {
      throw GeneratorError(declaration: "", reason: "the request on standard input is malformed: \(error)")
    }
  }

  /// `cache.capnp` -> `cache.capnp.swift`, inside the working directory whatever the request says.
  private static func outputPath(for name: String) throws -> String {
    guard !name.isEmpty, !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
      throw GeneratorError(declaration: name, reason: "the output would lie outside of the output directory")
    }
    return name + ".swift"
  }
}
