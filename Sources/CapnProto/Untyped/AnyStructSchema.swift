/// A struct of a type that is known at run time only, as the root of a message: `MessageReader<AnyStructSchema>` has a
/// ``RawStructReader`` as its root, and `MessageBuilder<AnyStructSchema>` a ``RawStructBuilder``.
public enum AnyStructSchema: StructSchema {
  /// The struct, untyped.
  public typealias Reader = RawStructReader
  /// The struct, untyped.
  public typealias Builder = RawStructBuilder
  /// No type: 0.
  public static var typeID: UInt64 { 0 }
  /// Says that the type is not known.
  public static var typeName: String { "AnyStruct" }
  /// Nothing: a schema without content.
  public static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }
  /// Nothing; a message's root gets the size that ``MessageBuilder/init(rootSize:allocator:)`` is told.
  public static var size: StructSize { StructSize(dataWords: 0, pointers: 0) }
}

extension RawStructBuilder: StructBuilder {
  /// The same builder: `ListBuilder<RawStructBuilder>` builds a list of structs of any type.
  @inlinable @inline(__always) @_lifetime(copy raw)
  public init(_ raw: RawStructBuilder) { self = raw }

  /// Nothing: whoever makes a struct of no known type says how large it is.
  public static var size: StructSize { AnyStructSchema.size }
}

extension AnyPointerBuilder {
  /// The list of structs of `elementSize` or larger, without elements if the pointer is null; a larger copy takes its place
  /// where the elements are smaller.
  @_lifetime(copy self)
  public func asStructList(elementSize: StructSize) -> ListBuilder<RawStructBuilder> {
    let layout = ElementLayout(.composite, structSize: elementSize)
    return unsafe _overrideLifetime(ListBuilder(unowned: view.listForWriting(layout)), copying: self)
  }

  /// A new list of `count` structs of `elementSize`, all zero.
  @_lifetime(copy self)
  public func initStructList(elementSize: StructSize, count: Int) -> ListBuilder<RawStructBuilder> {
    let layout = ElementLayout(.composite, structSize: elementSize)
    return unsafe _overrideLifetime(ListBuilder(unowned: view.initList(layout, count: count)), copying: self)
  }
}

extension MessageBuilder where Root == AnyStructSchema {
  /// An empty message with a root struct of `rootSize`.
  ///
  /// - Parameters:
  ///   - rootSize: The size of the root struct, from its schema.
  ///   - allocator: Gives the segments, to this message alone.
  /// - Throws: `allocationFailed` when there is no memory for the root.
  public init(
    rootSize: StructSize, allocator: any SegmentAllocator = HeapSegmentAllocator()
  ) throws(CapnProtoError) {
    self.allocator = allocator
    unsafe message = try MessageRecord.allocateForBuilding(allocator: allocator, minimumWords: 1 + rootSize.words)
    // Sound: the first segment has the root pointer, and room for the root.
    let pointer = unsafe SegmentTable(message: message).rootPointer
    rootView = pointer.initStructure(rootSize)
  }
}
