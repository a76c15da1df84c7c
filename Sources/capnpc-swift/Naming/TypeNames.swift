/// The Swift name of every type in a schema, and how to write it at a given place.
struct TypeNames {
  private struct Entry {
    /// From the top level of its module: `["Cache", "Part"]`.
    var path: [String]
    var fileID: UInt64
  }

  private let schema: Schema
  private let options: Options
  private var entries: [UInt64: Entry] = [:]
  /// For each scope (file, struct, group, interface): the types in it by name.
  private var members: [UInt64: [String: UInt64]] = [:]
  private var parents: [UInt64: UInt64] = [:]
  /// The Swift names of the type parameters of each scope that has some.
  private var parameters: [UInt64: [String]] = [:]
  /// The namespaces of methods, which are no nodes: ids made up for them, by interface, then by ordinal.
  private var methodScopes: [UInt64: [UInt64]] = [:]
  private var usedTypeNames: Set<String> = []

  init(_ schema: Schema, options: Options) {
    self.schema = schema
    self.options = options
    let files = schema.nodes.values.filter { node in if case .file = node.kind { true } else { false } }
    for file in files { addTypes(in: file, fileID: file.id, path: [], visible: topLevelNames(meantIn: file)) }
  }

  /// The name of a type where it is declared.
  func localName(of id: UInt64) -> String {
    entries[id]?.path.last ?? "_"
  }

  /// An id that stands for the namespace of a method, for `localName` and as a scope of references.
  func methodScope(_ interface: UInt64, _ ordinal: Int) -> UInt64 {
    guard let scopes = methodScopes[interface], scopes.indices.contains(ordinal) else { return interface }
    return scopes[ordinal]
  }

  /// What a type is declared in; nil at the top level of a file.
  func scope(of id: UInt64) -> UInt64? {
    parents[id]
  }

  /// The type parameters of a type, without those of its scopes.
  func parameters(of id: UInt64) -> [String] {
    parameters[id] ?? []
  }

  /// Whether a type or one of its scopes has type parameters. Such types have no stored properties of their own.
  func isGeneric(_ id: UInt64) -> Bool {
    chain(to: id).contains { parameters[$0] != nil }
  }

  /// A type and its scopes, the outermost first.
  func chain(to id: UInt64) -> [UInt64] {
    var chain = [id]
    while let last = chain.last, let parent = parents[last] { chain.append(parent) }
    return chain.reversed()
  }

  /// A name at the top level of the module for what cannot stand in the type itself: `_Map_EntryDefaults`.
  func hoistedName(_ suffix: String, of id: UInt64) -> String {
    "_" + (entries[id]?.path.joined(separator: "_") ?? "") + suffix
  }

  /// The file that declares a type; nil for what is not a declared type.
  func file(of id: UInt64) -> UInt64? {
    entries[id]?.fileID
  }

  /// A type of the standard library, qualified when a schema has a type of that name.
  func standard(_ name: String) -> String {
    usedTypeNames.contains(name) ? "Swift." + name : name
  }

  /// A way to write type `id` inside `scope` that Swift's lookup resolves to it.
  ///
  /// Swift looks the first component up from the innermost scope outwards, so the shortest dotted path whose first component
  /// is not hidden will do. Where every one is hidden, the module's name helps.
  ///
  /// `arguments` are what type parameters are bound to, by the type in the path that has them.
  func reference(
    to id: UInt64, from scope: SchemaNode, arguments: [UInt64: [String]] = [:]
  ) throws(GeneratorError) -> String {
    guard let entry = entries[id] else {
      throw GeneratorError(declaration: scope.displayName, reason: "the request lacks the type with id 0x\(hex(id))")
    }
    let chain = chain(to: id)
    let path = zip(entry.path, chain).map { name, id in
      name + (arguments[id].map { "<\($0.joined(separator: ", "))>" } ?? "")
    }
    for (index, candidate) in chain.enumerated() where lookUp(entry.path[index], from: scope) == candidate {
      // What the arguments of a scope are can only be left out where they are those of the place itself.
      guard chain[..<index].allSatisfy({ arguments[$0] == nil || arguments[$0] == parameters[$0] }) else { break }
      return path[index...].joined(separator: ".")
    }
    guard let module = options.module(ofFile: entry.fileID, in: schema) else {
      throw GeneratorError(
        declaration: scope.displayName,
        reason: "another declaration hides \(entry.path.joined(separator: ".")) here; "
          + "name the module in CAPNPC_SWIFT_MODULE to have it qualified, or rename one of them")
    }
    return ([module] + path).joined(separator: ".")
  }

  /// Names the types in `scope`, and in them. `visible` are the names of types that may be meant inside of the scope.
  ///
  /// A group's name is made up from its field's, so it gives way to a visible type: a group `annotation` beside a struct
  /// `Annotation` becomes `AnnotationGroup`.
  private mutating func addTypes(in scope: SchemaNode, fileID: UInt64, path: [String], visible: Set<String>) {
    var taken: [String: UInt64] = [:]
    func free(_ name: String) -> String {
      var name = name
      while taken[name] != nil || path.contains(name) { name += "_" }
      return name
    }
    for nested in scope.nested where isType(nested.id, in: scope) && !isAnnotation(nested.id) {
      taken[free(SwiftName.type(nested.name))] = nested.id
    }
    let annotations = scope.nested.filter { isAnnotation($0.id) && isType($0.id, in: scope) }
    if case .file = scope.kind {
      addFile(scope, annotations)
    } else {
      for nested in annotations { taken[free(SwiftName.annotation(nested.name))] = nested.id }
    }
    var visible = visible.union(taken.keys).union(path)
    var pseudoTypes: [String: UInt64] = [:]
    for (index, parameter) in scope.parameters.enumerated() {
      var name = SwiftName.type(parameter)
      while visible.contains(name) { name += "_" }
      visible.insert(name)
      // Hides outer types of its name; no type has an id as small.
      pseudoTypes[name] = UInt64(index)
      parameters[scope.id, default: []].append(name)
    }
    usedTypeNames.formUnion(pseudoTypes.keys)
    for (fieldName, id) in groupFields(of: scope) where isType(id, in: scope) {
      let name = SwiftName.type(fieldName)
      taken[free(visible.contains(name) ? name + "Group" : name)] = id
    }
    if case .interface(let interface) = scope.kind {
      // Nodes have ids with the highest bit set.
      let first = UInt64(methodScopes.count + 1) << 16
      for (ordinal, method) in interface.methods.enumerated() {
        let name = SwiftName.type(method.name)
        let id = first + UInt64(ordinal)
        methodScopes[scope.id, default: []].append(id)
        taken[free(visible.contains(name) ? name + "Method" : name)] = id
      }
    }
    members[scope.id, default: [:]].merge(taken.merging(pseudoTypes) { type, _ in type }) { _, type in type }
    usedTypeNames.formUnion(taken.keys)
    for (name, id) in taken {
      entries[id] = Entry(path: path + [name], fileID: fileID)
      if !path.isEmpty { parents[id] = scope.id }
      if let node = schema.nodes[id] { addTypes(in: node, fileID: fileID, path: path + [name], visible: visible) }
    }
    if case .interface(let interface) = scope.kind {
      for (ordinal, method) in interface.methods.enumerated() {
        addTypes(of: method, scopeID: methodScope(scope.id, ordinal), fileID: fileID, visible: visible)
      }
    }
  }

  /// Names the namespace of a file, and the annotations in it: those of different files may have the same names, as they
  /// do not stand in each other's way in the schema language.
  private mutating func addFile(_ file: SchemaNode, _ annotations: [SchemaNode.Nested]) {
    let name = file.swiftName ?? "SchemaFile_" + hex(file.id)
    entries[file.id] = Entry(path: [name], fileID: file.id)
    members[file.id] = [name: file.id]
    for annotation in annotations {
      entries[annotation.id] = Entry(path: [name, SwiftName.annotation(annotation.name)], fileID: file.id)
      parents[annotation.id] = file.id
    }
  }

  /// Names the structs that a method's parameters and results make up. `Params` and `Results` in its namespace are these,
  /// or stand for the declared structs that the method names.
  private mutating func addTypes(of method: SchemaMethod, scopeID: UInt64, fileID: UInt64, visible: Set<String>) {
    guard let path = entries[scopeID]?.path else { return }
    var pseudoType: UInt64 = 1
    for (name, id) in [("Params", method.params.id), ("Results", method.results.id)] {
      guard let node = schema.nodes[id], node.isImplicit, entries[id] == nil else {
        members[scopeID, default: [:]][name] = pseudoType
        pseudoType += 1
        continue
      }
      members[scopeID, default: [:]][name] = id
      parents[id] = scopeID
      entries[id] = Entry(path: path + [name], fileID: fileID)
      addTypes(in: node, fileID: fileID, path: path + [name], visible: visible)
    }
  }

  /// The names at the top level that a file means: those of its own types, and of others that it mentions. They depend on
  /// nothing else, so that the names of groups and methods do not either.
  private func topLevelNames(meantIn file: SchemaNode) -> Set<String> {
    var names: Set<String> = []
    var seen: Set<UInt64> = []
    var pending = [file]
    while let node = pending.popLast() {
      for id in node.mentions where seen.insert(id).inserted {
        guard let mentioned = schema.nodes[id] else { continue }
        if let name = topLevelName(over: mentioned) { names.insert(name) }
        if isDeclared(mentioned, in: file) { pending.append(mentioned) }
      }
    }
    return names
  }

  /// A declaration and its scopes, up to its file, the nearest first. A request could let scopes run in circles.
  private func scopes(of node: SchemaNode) -> [SchemaNode] {
    var scopes = [node]
    while scopes.count < 256, let last = scopes.last, let scope = schema.nodes[last.scopeID] { scopes.append(scope) }
    return scopes
  }

  private func isDeclared(_ node: SchemaNode, in file: SchemaNode) -> Bool {
    node.isImplicit || scopes(of: node).last?.id == file.id
  }

  private func topLevelName(over node: SchemaNode) -> String? {
    let scopes = scopes(of: node)
    guard scopes.count >= 2, scopes[scopes.count - 2].isType, !isAnnotation(scopes[scopes.count - 2].id) else {
      return nil
    }
    let id = scopes[scopes.count - 2].id
    return scopes[scopes.count - 1].nested.first { $0.id == id }.map { SwiftName.type($0.name) }
  }

  private func isType(_ id: UInt64, in scope: SchemaNode) -> Bool {
    guard let node = schema.nodes[id] else { return false }
    return node.isType && node.scopeID == scope.id
  }

  private func isAnnotation(_ id: UInt64) -> Bool {
    if case .annotation? = schema.nodes[id]?.kind { true } else { false }
  }

  private func groupFields(of node: SchemaNode) -> [(name: String, id: UInt64)] {
    guard case .structure(let structure) = node.kind else { return [] }
    return structure.fieldsInSourceOrder.compactMap { field in
      if case .group(let id) = field.kind { (field.name, id) } else { nil }
    }
  }

  private func lookUp(_ name: String, from scope: SchemaNode) -> UInt64? {
    var current: UInt64? = scope.id
    while let id = current {
      if let found = members[id]?[name] { return found }
      current = parents[id]
    }
    // The top level of the module: this file, and any other whose types are visible.
    let visible = schema.nodes.values.filter { node in
      if case .file = node.kind { members[node.id]?[name] != nil } else { false }
    }
    guard let file = entries[scope.id]?.fileID else { return visible.first.flatMap { members[$0.id]?[name] } }
    if let own = members[file]?[name] { return own }
    return visible.count == 1 ? visible.first.flatMap { members[$0.id]?[name] } : nil
  }
}

extension SchemaNode {
  /// Whether this node becomes a Swift type (an interface or annotation becomes a namespace).
  var isType: Bool {
    switch kind {
    case .structure, .enumeration, .interface, .annotation: true
    case .file, .constant: false
    }
  }
}

extension SchemaNode {
  /// Whether this is the struct that the parameters or results of a method make up.
  var isImplicit: Bool {
    if case .structure(let structure) = kind { scopeID == 0 && !structure.isGroup } else { false }
  }
}

extension StructLayout {
  /// The fields as the source has them; members of the unnamed union come last.
  var fieldsInSourceOrder: [SchemaField] {
    fields.filter { $0.discriminant == nil }.sorted { $0.codeOrder < $1.codeOrder } + unionMembers
  }

  /// The members of the unnamed union, as the source has them.
  var unionMembers: [SchemaField] {
    fields.filter { $0.discriminant != nil }.sorted { $0.codeOrder < $1.codeOrder }
  }
}

/// An id as schemas write it, without the `0x`.
func hex(_ id: UInt64) -> String {
  let digits = String(id, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
