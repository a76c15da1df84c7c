import CSluice
import SystemPackage

@testable import SluiceMemory
@testable import SluiceSystem
@testable import SluiceTransport

/// What a peer passes as a segment, a return table, half of a ring or a socket: memory of any size, seals and content, or
/// no memory at all. It is refused, or is what it was said to be; then everything in it is looked at.
enum DescriptorTarget {
  /// What is passed.
  private enum Object: UInt8, CaseIterable {
    case memory, zeros, regularFile, pipe, socket, counter
  }

  /// What it is passed as.
  private enum Role: UInt8, CaseIterable {
    case segment, returnTable, ring, socket
  }

  private struct Input {
    var rest: ArraySlice<UInt8>
    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }
    mutating func number() -> Int { Int(byte()) << 8 | Int(byte()) }
    mutating func choice<T: CaseIterable>(_: T.Type) -> T where T.AllCases == [T] {
      T.allCases[Int(byte()) % T.allCases.count]
    }
  }

  /// The input: role, object, seals, log₂ and excess of the real size (3 bytes), those of the announced size, and the content.
  static func run(_ input: [UInt8]) {
    var input = Input(rest: input[...])
    let role = input.choice(Role.self)
    let object = input.choice(Object.self)
    let seals = SegmentSeals(rawValue: Int32(input.byte()) & 0x1f)
    let real = 1 << Int(input.byte() % 18) + input.number()
    let announced = 1 << Int(input.byte() % 18) + input.number()
    guard let handle = make(object, byteCount: real, seals: seals, Array(input.rest.prefix(real))) else { return }
    let isHonest = object == .memory && seals.isSuperset(of: .required)
    switch role {
    case .segment:
      guard let segment = borrow(handle, announced) else { return }
      precondition(isHonest && real == announced, "accepted: \(object) \(seals) \(real) as \(announced)")
    case .returnTable:
      guard let segment = borrow(handle, real), let view = try? ReturnTableView(segment: segment, capacity: announced)
      else { return }
      precondition(isHonest && view.layout.byteCount <= real)
      drain(view)
    case .ring: receive(handle, capacity: announced, isHonest: isHonest && real == RingLayout.framesOffset + announced)
    case .socket:
      guard let transport = try? SocketTransport(socket: handle, maxBlobSize: 4096) else { return }
      _ = try? transport.tryReceive { _, _ in }
      _ = try? transport.trySend([1, 2, 3].span.bytes)
    }
  }

  /// A segment that passes as one, each byte of which was read.
  private static func borrow(_ handle: Handle, _ byteCount: Int) -> BorrowedSegment? {
    guard let segment = try? BorrowedSegment(handle, name: "fuzz", byteCount: byteCount) else { return nil }
    var sum: UInt64 = 0
    for byte in unsafe UnsafeRawBufferPointer(start: segment.baseAddress, count: byteCount) { sum &+= UInt64(byte) }
    precondition(sum <= UInt64(byteCount) * 255)
    return segment
  }

  /// Lends as much as there is room for, and takes back what the table says.
  private static func drain(_ view: ReturnTableView) {
    guard let lender = try? Lender(returns: view) else { return }
    for _ in 0..<min(view.layout.capacity, 64) { _ = try? lender.lend(Lent()) }
    let count = lender.outstandingCount
    let returned = lender.drain()
    precondition(returned <= count && lender.outstandingCount == count - returned)
    lender.settle()
    lender.reclaimAll()
    precondition(lender.outstandingCount == 0)
  }

  private static func receive(_ handle: Handle, capacity: Int, isHonest: Bool) {
    guard let own = try? RingTransport.prepare(name: "fuzz-ring", capacity: 8192, maxBlobSize: 512),
      let bell = try? Doorbell(),
      let ring = try? RingTransport(
        own, peer: .init(capacity: capacity, maxBlobSize: 512), handles: [handle, bell.handle], spinning: .off)
    else { return }
    precondition(isHonest)
    for _ in 0..<(capacity / RingLayout.lineByteCount + 2) {
      let outcome = try? ring.tryReceive { frame, _ in precondition(frame.byteCount <= 512) }
      guard outcome == .received else { break }
    }
    _ = try? ring.trySend([1, 2, 3].span.bytes)
  }

  private static func make(_ object: Object, byteCount: Int, seals: SegmentSeals, _ content: [UInt8]) -> Handle? {
    switch object {
    case .memory:
      let descriptor = sluice_memfd_create("fuzz", SLUICE_MFD_CLOEXEC | SLUICE_MFD_ALLOW_SEALING)
      guard descriptor >= 0 else { return nil }
      let handle = Handle(owning: FileDescriptor(rawValue: descriptor))
      guard sluice_ftruncate(descriptor, Int64(byteCount)) == 0,
        (try? handle.descriptor.writeAll(toAbsoluteOffset: 0, content)) != nil,
        sluice_add_seals(descriptor, seals.rawValue) == 0
      else { return nil }
      return handle
    case .zeros: return try? Handle.open("/dev/zero", .readWrite)
    case .regularFile: return try? Handle.open("/proc/self/exe", .readOnly)
    case .pipe:
      guard let pipe = try? FileDescriptor.pipe() else { return nil }
      _ = Handle(owning: pipe.writeEnd)
      return Handle(owning: pipe.readEnd)
    case .socket: return try? UnixSocket.pair().0
    case .counter: return try? Doorbell().handle
    }
  }

  private final class Lent: LentMemory {
    var lentByteCount: Int { 1 }
  }

  /// One of each role with honest memory, and one of each object.
  static func seeds() -> [[UInt8]] {
    let sealed = UInt8(SegmentSeals.required.rawValue)
    // A ring of 4,096 bytes stands in 8,192; a table of 16 slots takes 320.
    let segment: [UInt8] = [0, 0, sealed, 12, 0, 0, 12, 0, 0, 1, 2, 3]
    let table: [UInt8] = [1, 0, sealed, 8, 0, 64, 4, 0, 0] + [UInt8](repeating: 1, count: 320)
    let frame: [UInt8] = [9, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 7, count: 56)
    let ring: [UInt8] =
      [2, 0, sealed, 13, 0, 0, 12, 0, 0] + [UInt8](repeating: 0, count: 4096) + frame + frame + [0]
    return [segment, table, ring] + (0..<UInt8(Object.allCases.count)).map { [3, $0, sealed, 12, 0, 0, 12, 0, 0] }
  }
}
