import CapnProto
import CapnProtoSchema

/// Copies a pointer's value into a message of its own, to be embedded in generated code.
enum PointerFlattening {
  /// A message of one segment, as words, whose word 0 is a pointer to a copy of `pointer`'s value.
  static func words(of pointer: AnyPointerReader, sizeHint byteCount: Int) throws -> [UInt64] {
    // A copy is not larger than the request it comes from, so it stays in the first segment.
    let allocator = HeapSegmentAllocator(firstSegmentByteCount: byteCount)
    var message = try MessageBuilder(Holder.self, allocator: allocator)
    message.root.value.set(pointer)
    guard message.segmentCount == 1 else {
      throw GeneratorError(declaration: "", reason: "a value does not fit into a segment of \(byteCount) bytes")
    }
    let bytes = try message.serialized()
    // Without the header (1 word for one segment) and the pointer to the holder: pointers are relative, so the value's
    // pointer is as good at word 0.
    return stride(from: 16, to: bytes.count, by: 8).map { start in
      (0..<8).reduce(0) { word, index in word | UInt64(bytes[start + index]) << UInt64(8 * index) }
    }
  }

  /// A struct with one pointer.
  private enum Holder: StructSchema {
    static var typeID: UInt64 { 0 }
    static var typeName: String { "Holder" }
    static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }
    static var size: StructSize { StructSize(dataWords: 0, pointers: 1) }

    struct Reader: StructReader, ~Escapable {
      let raw: RawStructReader
      @_lifetime(copy raw)
      init(_ raw: RawStructReader) { self.raw = raw }
    }

    struct Builder: StructBuilder, ~Escapable {
      static var size: StructSize { Holder.size }
      let raw: RawStructBuilder
      @_lifetime(copy raw)
      init(_ raw: RawStructBuilder) { self.raw = raw }
      var value: AnyPointerBuilder { @_lifetime(copy self) get { raw.pointer(at: 0) } }
    }
  }
}
