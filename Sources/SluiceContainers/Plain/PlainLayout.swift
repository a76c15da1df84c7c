/// Checks what ``PlainBits`` promises of a struct, as far as the program can know it.
enum PlainLayout {
  /// The structures of the stored properties of `type`, in order.
  static func structure<Value: PlainBits>(of type: Value.Type) throws(SharedError) -> String {
    let size = MemoryLayout<Value>.size
    guard size > 0 else { throw .unsuitableType("\(type)", reason: "it has no size") }
    guard size == MemoryLayout<Value>.stride else {
      throw .unsuitableType(
        "\(type)", reason: "\(MemoryLayout<Value>.stride - size) bytes of padding follow it in an array")
    }
    var byteCount = 0
    var structures: [String] = []
    for child in Mirror(reflecting: zero(type)).children {
      let field = child.label ?? "\(structures.count)"
      guard let plain = Swift.type(of: child.value) as? any PlainBits.Type else {
        throw .unsuitableType("\(type)", reason: "its property “\(field)” is not of a plain type")
      }
      structures.append(try plain.structure())
      byteCount += plain.slotByteCount
    }
    guard byteCount == size else {
      throw .unsuitableType(
        "\(type)",
        reason: "its properties have \(byteCount) bytes, it has \(size): the rest is padding, or hidden from reflection"
      )
    }
    return "{\(structures.joined(separator: ","))}"
  }

  /// A value of zero bits, which is one of the type's values, as every pattern is.
  private static func zero<Value: PlainBits>(_ type: Value.Type) -> Value {
    unsafe withUnsafeTemporaryAllocation(
      byteCount: MemoryLayout<Value>.size, alignment: MemoryLayout<Value>.alignment
    ) { buffer in
      // Sound: all bytes are initialised. Were the promise broken, zeros are still what such types have most often.
      unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
      return unsafe buffer.loadUnaligned(as: Value.self)
    }
  }
}
