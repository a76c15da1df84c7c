/// An interface's methods and superclasses.
public struct InterfaceDescription: Sendable {
  /// The interface's 64-bit id.
  public let id: UInt64
  /// Where it was declared, as in `cache.capnp:Cache`.
  public let name: String
  /// The interfaces that it extends, in the order of the declaration.
  public let superclasses: [any InterfaceSchema.Type]
  /// The methods that it declares itself, by ordinal: `methods[i].ordinal == i`.
  public let methods: [any MethodSchema.Type]

  /// For generated code.
  public init(
    id: UInt64, name: String, superclasses: [any InterfaceSchema.Type], methods: [any MethodSchema.Type]
  ) {
    self.id = id
    self.name = name
    self.superclasses = superclasses
    self.methods = methods
  }

  /// This interface and all that it extends, directly or not, each once: itself first, nearer ones before farther ones.
  public var lineage: [InterfaceDescription] {
    var lineage = [self]
    var seen: Set<UInt64> = [id]
    var next = 0
    while next < lineage.count {
      for superclass in lineage[next].superclasses where seen.insert(superclass.typeID).inserted {
        lineage.append(superclass.interface)
      }
      next += 1
    }
    return lineage
  }

  /// All methods that an implementation has: those declared here and those inherited.
  public var allMethods: [any MethodSchema.Type] { lineage.flatMap(\.methods) }

  /// The method that a call names, declared here or inherited; nil if there is none, as when a newer version of the schema
  /// has more. Looks through all superclasses: a service layer keeps a table of ``allMethods`` instead.
  public func method(_ id: MethodID) -> (any MethodSchema.Type)? {
    guard let owner = lineage.first(where: { $0.id == id.interfaceID }) else { return nil }
    let ordinal = Int(id.ordinal)
    return ordinal < owner.methods.count ? owner.methods[ordinal] : nil
  }
}
