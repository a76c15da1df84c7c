import CapnProto

extension DynamicList {
  /// Writes a list. It lives no longer than its message. An index out of range traps: it is this program's mistake.
  public struct Builder: ~Escapable {
    /// The type of the elements.
    public let elementType: Schema.ValueType
    let elements: Elements

    enum Elements: ~Escapable {
      case void(ListBuilder<VoidElement>)
      case bits(ListBuilder<Bool>)
      case bytes(ListBuilder<UInt8>)
      case twoBytes(ListBuilder<UInt16>)
      case fourBytes(ListBuilder<UInt32>)
      case eightBytes(ListBuilder<UInt64>)
      case pointers(ListBuilder<AnyPointerBuilder>)
      case structures(ListBuilder<RawStructBuilder>)
    }

    /// A new list at `pointer`.
    @_lifetime(copy pointer)
    init(initialising pointer: AnyPointerBuilder, of elementType: Schema.ValueType, count: Int) {
      self.elementType = elementType
      switch elementType.layout {
      case .void: elements = .void(pointer.initList(count: count))
      case .bit: elements = .bits(pointer.initList(count: count))
      case .byte: elements = .bytes(pointer.initList(count: count))
      case .twoBytes: elements = .twoBytes(pointer.initList(count: count))
      case .fourBytes: elements = .fourBytes(pointer.initList(count: count))
      case .eightBytes: elements = .eightBytes(pointer.initList(count: count))
      case .pointer: elements = .pointers(pointer.initList(count: count))
      case .composite:
        elements = .structures(pointer.initStructList(elementSize: elementType.structSize, count: count))
      }
    }

    /// The list at `pointer`.
    @_lifetime(copy pointer)
    init(editing pointer: AnyPointerBuilder, of elementType: Schema.ValueType) {
      self.elementType = elementType
      switch elementType.layout {
      case .void: elements = .void(pointer.asList())
      case .bit: elements = .bits(pointer.asList())
      case .byte: elements = .bytes(pointer.asList())
      case .twoBytes: elements = .twoBytes(pointer.asList())
      case .fourBytes: elements = .fourBytes(pointer.asList())
      case .eightBytes: elements = .eightBytes(pointer.asList())
      case .pointer: elements = .pointers(pointer.asList())
      case .composite: elements = .structures(pointer.asStructList(elementSize: elementType.structSize))
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

    /// Writes the element at `index`.
    ///
    /// - Throws: ``ReflectionError``: `wrongType`, `outOfRange`, or `noSuchEnumerant`.
    public func set(_ index: Int, to value: PlainValue) throws(ReflectionError) {
      do throws(ReflectionError.Kind) { try place(index).write(value) } catch { throw located(error, index) }
    }

    /// Copies `value`, with all that it owns, to the element at `index`.
    ///
    /// - Throws: ``ReflectionError``: as ``set(_:to:)``; or what is wrong with the value's message.
    public func set(_ index: Int, copying value: borrowing DynamicValue) throws(ReflectionError) {
      do throws(ReflectionError.Kind) { try place(index).write(copying: value) } catch { throw located(error, index) }
    }

    /// The struct at `index`, in place.
    ///
    /// - Throws: ``ReflectionError``: `wrongType` if the elements are no structs.
    @_lifetime(copy self)
    public func structure(_ index: Int) throws(ReflectionError) -> DynamicStruct.Builder {
      do throws(ReflectionError.Kind) { return try place(index).initStruct() } catch { throw located(error, index) }
    }

    /// A new list of `count` elements at `index` of a list of lists.
    ///
    /// - Throws: ``ReflectionError``: `wrongType` if the elements are no lists.
    @_lifetime(copy self)
    public func initList(_ index: Int, count: Int) throws(ReflectionError) -> DynamicList.Builder {
      do throws(ReflectionError.Kind) {
        return try place(index).initList(count: count)
      } catch {
        throw located(error, index)
      }
    }

    /// The pointer at `index`, whatever it points to.
    ///
    /// - Throws: ``ReflectionError``: `wrongType` if the elements stand in the list itself.
    @_lifetime(copy self)
    public func pointer(_ index: Int) throws(ReflectionError) -> AnyPointerBuilder {
      do throws(ReflectionError.Kind) { return try place(index).pointer() } catch { throw located(error, index) }
    }

    @_lifetime(copy self)
    func place(_ index: Int) -> Place {
      precondition(index >= 0 && index < count, "List index out of range")
      return Place(.element(elements, index), elementType)
    }

    private func located(_ kind: ReflectionError.Kind, _ index: Int) -> ReflectionError {
      ReflectionError(kind, type: "List(\(elementType))", member: "[\(index)]")
    }
  }
}

extension Schema.ValueType {
  /// The size of a struct of this type.
  var structSize: StructSize {
    guard case .structure(let schema) = self else { return StructSize(dataWords: 0, pointers: 0) }
    return schema.size
  }
}
