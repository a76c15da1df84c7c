import CapnProto
import CapnProtoSchema
import Foundation

/// Copies what the generator needs out of a `CodeGeneratorRequest`.
struct RequestDecoder {
  private struct Documentation {
    var node: String
    var members: [String]
  }

  private let values: ValueDecoder
  private var documentation: [UInt64: Documentation] = [:]

  /// The schema that `request`, a message of `byteCount` bytes, holds.
  static func schema(of request: CodeGeneratorRequest.Reader, byteCount: Int) throws -> Schema {
    var decoder = RequestDecoder(values: ValueDecoder(requestByteCount: byteCount))
    let sourceInfo = try request.sourceInfo
    for index in sourceInfo.indices { try decoder.add(sourceInfo[index]) }

    var schema = Schema(nodes: [:], requestedFiles: [])
    let nodes = try request.nodes
    for index in nodes.indices {
      var node = try decoder.node(nodes[index])
      let annotations = try SwiftAnnotations(try nodes[index].annotations, of: node.displayName)
      node.swiftName = annotations.name
      schema.nodes[node.id] = node
      schema.modules[node.id] = annotations.module
      schema.access[node.id] = annotations.access
    }
    try schema.renameTypes()
    let files = try request.requestedFiles
    for index in files.indices {
      let file = files[index]
      schema.requestedFiles.append(Schema.RequestedFile(id: file.id, name: try file.filename))
    }
    return schema
  }

  private mutating func add(_ info: Node.SourceInfo.Reader) throws {
    var members: [String] = []
    let list = try info.members
    for index in list.indices { members.append(try list[index].docComment) }
    documentation[info.id] = Documentation(node: try info.docComment, members: members)
  }

  private func node(_ node: Node.Reader) throws -> SchemaNode {
    var nested: [SchemaNode.Nested] = []
    let list = try node.nestedNodes
    for index in list.indices {
      let entry = list[index]
      let name = try entry.name
      nested.append(SchemaNode.Nested(name: name, schemaName: name, id: entry.id))
    }
    var kind: SchemaNode.Kind
    do {
      kind = try self.kind(of: node)
    } catch let error as GeneratorError where error.declaration.isEmpty {
      throw GeneratorError(declaration: try node.displayName, reason: error.reason)
    }
    var parameters: [String] = []
    let parameterList = try node.parameters
    for index in parameterList.indices { parameters.append(try parameterList[index].name) }
    // Type parameters of a method are bound by the call, which no type can express: any pointer can stand there.
    if node.scopeId == 0, case .structure(var structure) = kind {
      parameters = []
      for index in structure.fields.indices { structure.fields[index].unbindParameters(of: node.id) }
      kind = .structure(structure)
    }
    return SchemaNode(
      id: node.id, displayName: try node.displayName, scopeID: node.scopeId, nested: nested,
      parameters: parameters, documentation: documentation[node.id]?.node ?? "",
      mentions: try MentionCollector.mentions(in: node), packed: try packed(node), kind: kind)
  }

  private func packed(_ node: Node.Reader) throws -> String {
    let bytes = try node.raw.canonicalized()
    var encoder = PackedEncoder()
    var packed: [UInt8] = []
    // Sound: the array lives as long as its span.
    unsafe encoder.encode(bytes.span.bytes, to: &packed)
    try encoder.finish(to: &packed)
    return Data(packed).base64EncodedString()
  }

  private func kind(of node: Node.Reader) throws -> SchemaNode.Kind {
    switch try node.which {
    case .file: return .file
    case .struct(let structure): return .structure(try layout(structure, of: node))
    case .enum(let enumeration): return .enumeration(try enumerants(enumeration, of: node))
    case .interface(let interface): return .interface(try layout(interface, of: node))
    case .const(let constant):
      let type = try TypeDecoder.type(try constant.type)
      return .constant(type, try values.value(try constant.value))
    case .annotation: return .annotation
    case .unknown(let kind):
      throw GeneratorError(declaration: try node.displayName, reason: "declarations of kind \(kind) are unknown")
    }
  }

  private func layout(_ structure: Node.Struct.Reader, of node: Node.Reader) throws -> StructLayout {
    var fields: [SchemaField] = []
    let list = try structure.fields
    for index in list.indices {
      fields.append(try field(list[index], documentation: memberDocumentation(node.id, index), of: node))
    }
    return StructLayout(
      dataWords: structure.dataWordCount, pointers: structure.pointerCount, isGroup: structure.isGroup,
      discriminantCount: structure.discriminantCount, discriminantOffset: structure.discriminantOffset, fields: fields)
  }

  private func layout(_ interface: Node.Interface.Reader, of node: Node.Reader) throws -> InterfaceLayout {
    var superclasses: [TypeReference] = []
    let superclassList = try interface.superclasses
    for index in superclassList.indices {
      let superclass = superclassList[index]
      superclasses.append(TypeReference(id: superclass.id, arguments: try TypeDecoder.brand(try superclass.brand)))
    }
    var methods: [SchemaMethod] = []
    let methodList = try interface.methods
    for index in methodList.indices {
      let method = methodList[index]
      let name = try method.name
      methods.append(
        SchemaMethod(
          name: try swiftName(name, try method.annotations, in: node), schemaName: name, codeOrder: method.codeOrder,
          documentation: memberDocumentation(node.id, index),
          params: TypeReference(
            id: method.paramStructType, arguments: try TypeDecoder.brand(try method.paramBrand)),
          results: TypeReference(
            id: method.resultStructType, arguments: try TypeDecoder.brand(try method.resultBrand))))
    }
    return InterfaceLayout(superclasses: superclasses, methods: methods)
  }

  private func field(_ field: Field.Reader, documentation: String, of node: Node.Reader) throws -> SchemaField {
    let kind: SchemaField.Kind
    switch try field.which {
    case .slot(let slot):
      let type = try TypeDecoder.type(try slot.type)
      kind = .slot(
        SchemaField.Slot(offset: slot.offset, type: type, defaultValue: try values.value(try slot.defaultValue)))
    case .group(let group):
      kind = .group(group.typeId)
    case .unknown(let kind):
      throw GeneratorError(
        declaration: "\(try node.displayName).\(try field.name)", reason: "fields of kind \(kind) are unknown")
    }
    let discriminant = field.discriminantValue
    let name = try field.name
    return SchemaField(
      name: try swiftName(name, try field.annotations, in: node), schemaName: name, codeOrder: field.codeOrder,
      discriminant: discriminant == Field.noDiscriminant ? nil : discriminant, documentation: documentation, kind: kind)
  }

  private func enumerants(_ enumeration: Node.Enum.Reader, of node: Node.Reader) throws -> [SchemaEnumerant] {
    var enumerants: [SchemaEnumerant] = []
    let list = try enumeration.enumerants
    for index in list.indices {
      let enumerant = list[index]
      let name = try enumerant.name
      enumerants.append(
        SchemaEnumerant(
          name: try swiftName(name, try enumerant.annotations, in: node), schemaName: name,
          codeOrder: enumerant.codeOrder,
          documentation: memberDocumentation(node.id, index)))
    }
    return enumerants
  }

  /// The name that a member of `node` has in Swift.
  private func swiftName(
    _ name: String, _ annotations: ListReader<Annotation.Reader>, in node: Node.Reader
  ) throws -> String {
    try SwiftAnnotations(annotations, of: "\(try node.displayName).\(name)").name ?? name
  }

  private func memberDocumentation(_ id: UInt64, _ index: Int) -> String {
    guard let members = documentation[id]?.members, index < members.count else { return "" }
    return members[index]
  }
}
