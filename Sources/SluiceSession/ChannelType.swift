import CapnProto

/// What a channel carries: messages of one root type, by its schema id.
public struct ChannelType: Sendable, Hashable {
  /// Schema id of the root struct of each message.
  public let rootTypeID: UInt64
  /// Its name, for people.
  public let rootTypeName: String

  /// Channels for messages with the root type `root`.
  public init<Root: StructSchema>(_ root: Root.Type) {
    rootTypeID = Root.typeID
    rootTypeName = Root.typeName
  }
}
