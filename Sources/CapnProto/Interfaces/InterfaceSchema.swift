/// What the code generator makes of an `interface`: a caseless enum with a namespace for each method.
///
/// There is no remote procedure call in this module. A service layer builds one on these descriptions: the method that a
/// call names is found with ``InterfaceDescription/method(_:)``, and its types are ``MethodSchema/Params`` and
/// ``MethodSchema/Results``.
public protocol InterfaceSchema: DeclaredSchema, SendableMetatype {
  /// The interface's methods and superclasses.
  static var interface: InterfaceDescription { get }
}

/// What the code generator makes of a method of an `interface`.
public protocol MethodSchema: SendableMetatype {
  /// The struct that a caller sends: a declared one, or the one that the method's parameters make up.
  associatedtype Params: StructSchema
  /// The struct that a callee answers with: a declared one, or the one that the method's results make up.
  associatedtype Results: StructSchema
  /// The id of the interface that declares the method.
  static var interfaceID: UInt64 { get }
  /// The method's number in that interface.
  static var ordinal: UInt16 { get }
  /// The method's name in the schema.
  static var name: String { get }
  /// Whether the method is declared with `-> stream`: calls may overlap, and have no results.
  static var isStreaming: Bool { get }
}

extension MethodSchema {
  /// What calls name the method by.
  public static var id: MethodID { MethodID(interfaceID: interfaceID, ordinal: ordinal) }
}

/// What a call names a method by: the interface that declares it, which may be a superclass of the one that is called.
public struct MethodID: Sendable, Hashable {
  /// The interface's 64-bit id.
  public let interfaceID: UInt64
  /// The method's number in that interface.
  public let ordinal: UInt16

  /// The method `ordinal` of the interface `interfaceID`.
  public init(interfaceID: UInt64, ordinal: UInt16) {
    self.interfaceID = interfaceID
    self.ordinal = ordinal
  }
}
