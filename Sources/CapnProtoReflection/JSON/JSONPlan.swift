import Synchronization

/// What the annotations of `json.capnp` make of a struct: the names of its fields in JSON, and where they stand.
final class JSONPlan: Sendable {
  let fields: [FieldPlan]
  /// The member of the object that names the union's member that is set; nil if the fields that are there say it.
  let tagName: String?
  /// What the members of the object are, this struct's own and those of flattened fields.
  let names: [String: NamePlan]
  /// The union's members by what the tag calls them.
  let tagValues: [String: Int]
  /// Keeps the schemas, by whose identity plans are found.
  let schema: Schema.Struct

  struct FieldPlan: Sendable {
    var name: String
    let tagValue: String
    /// The plan of a struct whose members stand in this struct's object.
    let flattened: JSONPlan?
    /// What goes before the names of these members.
    let prefix: String
    let encoding: DataEncoding
  }

  enum DataEncoding: Sendable { case numbers, base64, hex }

  enum NamePlan: Sendable {
    case field(Int)
    /// A member of the flattened field.
    case flattened(Int)
    /// A member of one of the union's flattened members.
    case flattenedUnion
    case tag
    /// The value of whichever of the union's members is set.
    case unionValue
  }

  init(
    schema: Schema.Struct, fields: [FieldPlan], tagName: String?, names: [String: NamePlan], tagValues: [String: Int]
  ) {
    self.schema = schema
    self.fields = fields
    self.tagName = tagName
    self.names = names
    self.tagValues = tagValues
  }
}

/// The ids of the annotations of `json.capnp`.
enum JSONAnnotation {
  static let name: UInt64 = 0xfa5b_1fd6_1c2e_7c3d
  static let flatten: UInt64 = 0x82d3_e852_af03_36bf
  static let discriminator: UInt64 = 0xcfa7_94e8_d19a_0162
  static let base64: UInt64 = 0xd7d8_7945_0a25_3e4b
  static let hex: UInt64 = 0xf061_e22f_0ae5_c7b5
  static let notification: UInt64 = 0xa0a0_54de_a32f_d98c
}

extension Schema.Method {
  /// Whether the method is a JSON-RPC notification, which expects no response (`$Json.notification`).
  public var isJSONNotification: Bool { annotations.contains { $0.id == JSONAnnotation.notification } }
}

/// Plans that were made, shared by all who use a codec.
final class JSONPlans: Sendable {
  private struct Key: Hashable {
    let storage: ObjectIdentifier
    let id: UInt64
  }

  private let plans = Mutex<[Key: JSONPlan]>([:])

  /// The plan for `schema`, which does not depend on what its type parameters are bound to.
  ///
  /// - Throws: `invalidAnnotation`.
  func plan(for schema: Schema.Struct) throws(ReflectionError) -> JSONPlan {
    let key = Key(storage: ObjectIdentifier(schema.storage), id: schema.id)
    if let plan = plans.withLock({ $0[key] }) { return plan }
    // A group's plan depends on the field that it is: such plans are made with the struct around it.
    var owner = schema
    while owner.isGroup, let scope = owner.declaration.scope?.structure { owner = scope }
    var builder = JSONPlanBuilder()
    _ = try builder.plan(for: owner)
    let made = builder.made
    return try plans.withLock { plans throws(ReflectionError) in
      for plan in made {
        plans[Key(storage: ObjectIdentifier(plan.schema.storage), id: plan.schema.id)] = plan
      }
      guard let plan = plans[key] else { throw ReflectionError(.invalidAnnotation("group"), type: schema.displayName) }
      return plan
    }
  }
}
