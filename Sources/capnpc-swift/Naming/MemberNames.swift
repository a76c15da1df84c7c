/// The Swift names of a struct's fields and of the methods made from them, without clashes.
struct MemberNames {
  private let fieldNames: Set<String>

  init(_ structure: StructLayout) {
    fieldNames = Set(structure.fields.map { SwiftName.property($0.name) })
  }

  /// The property for a field.
  func property(_ field: SchemaField) -> String {
    SwiftName.property(field.name)
  }

  /// The method or property `prefix` + name, as in `initParts`; with a `_` when a field is called that already.
  func derived(_ prefix: String, _ field: SchemaField) -> String {
    let name = prefix + SwiftName.capitalizingFirst(field.name)
    return fieldNames.contains(name) ? name + "_" : name
  }
}
