import CapnProto
import CapnProtoSchema

/// Copies type expressions out of a request.
enum TypeDecoder {
  /// The type that `type` expresses.
  static func type(_ type: Type_.Reader) throws -> FieldType {
    switch try type.which {
    case .void: .void
    case .bool: .bool
    case .int8: .int8
    case .int16: .int16
    case .int32: .int32
    case .int64: .int64
    case .uint8: .uint8
    case .uint16: .uint16
    case .uint32: .uint32
    case .uint64: .uint64
    case .float32: .float32
    case .float64: .float64
    case .text: .text
    case .data: .data
    case .list(let list): .list(try self.type(try list.elementType))
    case .enum(let reference): .enumeration(reference.typeId, try brand(try reference.brand))
    case .struct(let reference): .structure(reference.typeId, try brand(try reference.brand))
    case .interface(let reference): .interface(reference.typeId)
    case .anyPointer(let pointer): try anyPointer(pointer)
    case .unknown(let kind): throw GeneratorError(declaration: "", reason: "types of kind \(kind) are unknown")
    }
  }

  private static func anyPointer(_ pointer: Type_.AnyPointer.Reader) throws -> FieldType {
    switch try pointer.which {
    case .unconstrained(let kind):
      switch try kind.which {
      case .anyKind: .anyPointer(.any)
      case .struct: .anyPointer(.structure)
      case .list: .anyPointer(.list)
      case .capability: .anyPointer(.capability)
      case .unknown(let kind): throw GeneratorError(declaration: "", reason: "pointers of kind \(kind) are unknown")
      }
    case .parameter(let parameter): .parameter(parameter.scopeId, Int(parameter.parameterIndex))
    // Only methods have them, and what is called decides.
    case .implicitMethodParameter: .anyPointer(.any)
    case .unknown(let kind): throw GeneratorError(declaration: "", reason: "pointers of kind \(kind) are unknown")
    }
  }

  /// What `brand` binds type parameters to.
  static func brand(_ brand: Brand.Reader) throws -> TypeArguments {
    var result = TypeArguments()
    let scopes = try brand.scopes
    for index in scopes.indices {
      let scope = scopes[index]
      switch try scope.which {
      case .inherit: result.scopes[scope.scopeId] = .inherited
      case .bind(let bindings):
        var types: [FieldType?] = []
        for index in bindings.indices {
          switch try bindings[index].which {
          case .unbound: types.append(nil)
          case .type(let type): types.append(try self.type(type))
          case .unknown(let kind): throw GeneratorError(declaration: "", reason: "bindings of kind \(kind) are unknown")
          }
        }
        result.scopes[scope.scopeId] = .types(types)
      case .unknown(let kind): throw GeneratorError(declaration: "", reason: "scopes of kind \(kind) are unknown")
      }
    }
    return result
  }
}
