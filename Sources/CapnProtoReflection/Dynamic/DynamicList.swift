import CapnProto

/// Lists whose element type a schema says.
public enum DynamicList {
  /// Reads a list in place. It lives no longer than its message.
  public struct Reader: ~Escapable {
    /// The type of the elements.
    public let elementType: Schema.ValueType
    let elements: Elements

    enum Elements: ~Escapable {
      case void(ListReader<VoidElement>)
      case bits(ListReader<Bool>)
      case bytes(ListReader<UInt8>)
      case twoBytes(ListReader<UInt16>)
      case fourBytes(ListReader<UInt32>)
      case eightBytes(ListReader<UInt64>)
      case pointers(ListReader<AnyPointerReader>)
      case structures(ListReader<RawStructReader>)
    }

    /// The list that `pointer` leads to, read as one of `elementType`; empty if it is null.
    ///
    /// - Throws: What is wrong with the pointer, or a limit that was met.
    @_lifetime(copy pointer)
    init(_ pointer: AnyPointerReader, of elementType: Schema.ValueType) throws(CapnProtoError) {
      self.elementType = elementType
      switch elementType.layout {
      case .void: elements = .void(try pointer.asList())
      case .bit: elements = .bits(try pointer.asList())
      case .byte: elements = .bytes(try pointer.asList())
      case .twoBytes: elements = .twoBytes(try pointer.asList())
      case .fourBytes: elements = .fourBytes(try pointer.asList())
      case .eightBytes: elements = .eightBytes(try pointer.asList())
      case .pointer: elements = .pointers(try pointer.asList())
      case .composite: elements = .structures(try pointer.asList())
      }
    }

    /// How many elements there are.
    public var count: Int {
      switch elements {
      case .void(let list): list.count
      case .bits(let list): list.count
      case .bytes(let list): list.count
      case .twoBytes(let list): list.count
      case .fourBytes(let list): list.count
      case .eightBytes(let list): list.count
      case .pointers(let list): list.count
      case .structures(let list): list.count
      }
    }

    /// All valid indices, as in `for i in list.indices`.
    public var indices: Range<Int> { 0..<count }

    /// The element at `index`. An index out of range traps: it is this program's mistake.
    ///
    /// - Throws: ``ReflectionError`` if what the element points to is malformed, or a limit was met.
    public subscript(index: Int) -> DynamicValue {
      @_lifetime(copy self) get throws(ReflectionError) {
        switch elements {
        case .void(let list):
          _ = list[index]
          return .void
        case .bits(let list): return .bool(list[index])
        case .bytes(let list): return DynamicValue(bits: UInt64(list[index]), as: elementType)
        case .twoBytes(let list): return DynamicValue(bits: UInt64(list[index]), as: elementType)
        case .fourBytes(let list): return DynamicValue(bits: UInt64(list[index]), as: elementType)
        case .eightBytes(let list): return DynamicValue(bits: list[index], as: elementType)
        case .pointers(let list):
          do throws(CapnProtoError) {
            return try DynamicValue(list[index], as: elementType)
          } catch {
            throw ReflectionError(.message(error), type: "List(\(elementType))", member: "[\(index)]")
          }
        case .structures(let list):
          guard case .structure(let schema) = elementType else { return .void }
          return .structure(DynamicStruct.Reader(unowned: list[index], schema))
        }
      }
    }
  }
}

extension Schema.ValueType {
  /// How lists of this type are laid out.
  var layout: ElementSize {
    switch self {
    case .void: .void
    case .bool: .bit
    case .int8, .uint8: .byte
    case .int16, .uint16, .enumeration: .twoBytes
    case .int32, .uint32, .float32: .fourBytes
    case .int64, .uint64, .float64: .eightBytes
    case .text, .data, .list, .interface, .anyPointer: .pointer
    case .structure: .composite
    }
  }
}
