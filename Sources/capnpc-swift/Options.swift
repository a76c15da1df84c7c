/// What the generator is told beside the request, by environment variables, as `capnp compile` passes on no arguments.
struct Options {
  /// `CAPNPC_SWIFT_MODULE`: the Swift module the requested files belong to. Only needed where names must be qualified.
  var module: String?
  /// `CAPNPC_SWIFT_IMPORTS`: modules of imported files, `path=Module` one a line. An imported file whose name ends in the path
  /// belongs to that module. Files that match none belong to the module of the requested files.
  var importedModules: [(path: String, module: String)]

  init(module: String? = nil, importedModules: [(path: String, module: String)] = []) {
    self.module = module
    self.importedModules = importedModules
  }

  init(environment: [String: String]) throws(GeneratorError) {
    module = environment["CAPNPC_SWIFT_MODULE"]
    importedModules = []
    for line in environment["CAPNPC_SWIFT_IMPORTS", default: ""].split(separator: "\n") {
      guard let separator = line.lastIndex(of: "=") else {
        throw GeneratorError(declaration: "", reason: "CAPNPC_SWIFT_IMPORTS has '\(line)' instead of 'path=Module'")
      }
      importedModules.append((String(line[..<separator]), String(line[line.index(after: separator)...])))
    }
  }

  /// The module to import for the types of a file; nil when they are in the same module as the requested files.
  func importedModule(ofFile id: UInt64, in schema: Schema) -> String? {
    guard !schema.requestedFiles.contains(where: { $0.id == id }), let file = schema.nodes[id] else { return nil }
    let known = importedModules.first { entry in
      file.displayName == entry.path || file.displayName.hasSuffix("/" + entry.path)
    }
    if let known { return known.module }
    guard let said = schema.modules[id], said != requestedModule(in: schema) else { return nil }
    return said
  }

  /// The module of the requested files, as far as it is known.
  private func requestedModule(in schema: Schema) -> String? {
    module ?? schema.requestedFiles.lazy.compactMap { schema.modules[$0.id] }.first
  }

  /// Throws if a file says that it is in another module than the one that its code is generated for.
  func check(_ schema: Schema) throws(GeneratorError) {
    guard let module = requestedModule(in: schema) else { return }
    for file in schema.requestedFiles {
      guard let said = schema.modules[file.id], said != module else { continue }
      throw GeneratorError(
        declaration: file.name, reason: "$Swift.module is \(said), but code is generated for the module \(module)")
    }
  }

  /// The module that the types of a file are in, as far as it is known.
  func module(ofFile id: UInt64, in schema: Schema) -> String? {
    importedModule(ofFile: id, in: schema) ?? requestedModule(in: schema)
  }
}
