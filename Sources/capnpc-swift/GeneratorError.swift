/// Why no code can be generated: always with the file and the declaration at fault.
struct GeneratorError: Error, Equatable, CustomStringConvertible {
  /// The declaration, as the schema compiler displays it: `cache.capnp:Cache.parts`. Empty when the request as a whole is bad.
  var declaration: String
  var reason: String

  var description: String {
    declaration.isEmpty ? "capnpc-swift: error: \(reason)" : "\(declaration): error: \(reason)"
  }

  /// The same for a field of the declaration.
  func naming(_ field: SchemaField) -> GeneratorError {
    GeneratorError(declaration: "\(declaration).\(field.schemaName)", reason: reason)
  }
}
