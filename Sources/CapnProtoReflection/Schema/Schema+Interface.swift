extension Schema {
  /// An interface.
  public struct Interface: Sendable {
    /// Its id, names, scope and annotations.
    public let declaration: Declaration
    let stored: StoredInterface
    let brand: ResolvedBrand?

    /// The 64-bit id.
    public var id: UInt64 { declaration.id }
    /// The methods by number, without those of the interfaces that this one extends.
    public var methods: [Method] {
      stored.methods.enumerated().map {
        Method(number: UInt16(truncatingIfNeeded: $0), stored: $1, storage: declaration.storage, brand: brand)
      }
    }
    /// The method of that name; nil if this interface itself has none.
    public func method(named name: String) -> Method? { methods.first { $0.name == name } }
    /// The interfaces that this one extends.
    public var superclasses: [Interface] {
      stored.superclasses.compactMap { declaration.storage.interface($0.id, $0.brand, in: brand) }
    }
  }

  /// A method of an interface.
  public struct Method: Sendable {
    /// The number after `@` in the source.
    public let number: UInt16
    let stored: StoredMethod
    let storage: SchemaStorage
    let brand: ResolvedBrand?

    /// The name.
    public var name: String { stored.member.name }
    /// The place in the source, among the interface's others.
    public var codeOrder: Int { stored.member.codeOrder }
    /// The names of the method's own type parameters.
    public var implicitParameters: [String] { stored.implicitParameters }
    /// The struct that holds the parameters; nil never, since the registry checked it.
    public var parameters: Struct? { storage.structure(stored.parameterStruct, stored.parameterBrand, in: brand) }
    /// The struct that holds the results; nil never, since the registry checked it.
    public var results: Struct? { storage.structure(stored.resultStruct, stored.resultBrand, in: brand) }
    /// The annotations that were applied.
    public var annotations: [Annotation] { Annotation.all(stored.member.annotations, storage) }
  }
}
