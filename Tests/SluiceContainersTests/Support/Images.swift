import CapnProto
import SluiceContainers
import Testing

/// The bytes of a container, as a builder writes them into a blob.
func image<Root: SharedValue & ~Escapable>(
  capacity: Int, _ body: (inout SharedBuilder) throws -> SharedReference<Root>
) throws -> [UInt8] {
  try withUnsafeTemporaryAllocation(byteCount: max(capacity, 8), alignment: 64) { memory in
    // What nobody writes must not show.
    memory.initializeMemory(as: UInt8.self, repeating: 0xaa)
    var output = OutputRawSpan(
      buffer: UnsafeMutableRawBufferPointer(rebasing: memory[..<capacity]), initializedCount: 0)
    try output.appendShared(body)
    let count = output.finalize(for: UnsafeMutableRawBufferPointer(rebasing: memory[..<capacity]))
    return Array(memory[..<count])
  }
}

/// The bytes of a container of `source`, in exactly the room that was foreseen for it.
func image<Source: SharedSource>(of source: Source) throws -> [UInt8] {
  try image(capacity: sharedByteCount(of: source)) { builder in try builder.write(source) }
}

/// A struct as programs have them.
struct Quote: PlainBits, Equatable {
  var price: Double
  var volume: Int64
}
