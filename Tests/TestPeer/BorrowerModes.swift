import Foundation
import Sluice
import SystemPackage
import TestSchema
import TestSupport

// What a client finds, and cannot do, in memory that is not its own.

/// A part of an address space, as the kernel lists it.
struct Mapping {
  let addresses: Range<UInt>
  let permissions: Substring
  let offset: UInt
  let inode: Substring
  let name: Substring

  /// Those of a process.
  static func all(of process: Int32) throws -> [Mapping] {
    try ProcessFile.text("/proc/\(process)/maps").split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
      guard words.count >= 5 else { return nil }
      let bounds = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard bounds.count == 2, bounds[0] < bounds[1], let offset = UInt(words[2], radix: 16) else { return nil }
      return Mapping(
        addresses: bounds[0]..<bounds[1], permissions: words[1], offset: offset, inode: words[4],
        name: words.count == 6 ? words[5].drop { $0 == " " } : "")
    }
  }

  /// Segments of an app that this process may only read.
  static func borrowed(from app: ServerApp) throws -> [Mapping] {
    try all(of: getpid()).filter {
      $0.permissions == "r--s"
        && ($0.name.contains("memfd:sluice.\(app.name).") || $0.name.contains("/sluice.\(app.name)."))
    }
  }

  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: addresses.lowerBound), count: addresses.count)
  }
}

// MARK: Reading all there is

/// Reads each byte of all that it may map of the server's. Says how much that was, which of some bytes stand there eight in a
/// row, and how many words, at whatever offset, are addresses of something that the server has mapped.
func scan(_ app: ServerApp, bytes: [UInt8]) async throws {
  let session = try await connect(app)
  let channel = try await session.openChannel(Exchange.self)
  var notes = channel.notifications.makeAsyncIterator()
  var held = [try await ask(channel, "payload", 300_000)]
  guard let shared = try await notes.next() else { throw PeerError("nothing came") }
  held.append(shared)
  say("holding")
  while let line = readLine(), line == "scan" || line == "take" {
    if line == "take", let note = try await notes.next() { held.append(note) }
    let addresses = Addresses(try Mapping.all(of: session.peer.credentials.pid))
    var found: Set<UInt8> = []
    var (byteCount, pointerCount) = (0, 0)
    for mapping in try Mapping.borrowed(from: app) {
      byteCount += mapping.bytes.count
      pointerCount += scan(mapping.bytes, for: bytes, addresses, &found)
    }
    let names = found.sorted().map(String.init).joined(separator: " ")
    say("scanned \(byteCount) pointers \(pointerCount) found \(names)")
  }
  withExtendedLifetime(held) {}
}

private func scan(
  _ memory: UnsafeRawBufferPointer, for wanted: [UInt8], _ addresses: Addresses, _ found: inout Set<UInt8>
) -> Int {
  let patterns = wanted.map { (UInt($0) &* 0x0101_0101_0101_0101, $0) }
  var pointerCount = 0
  var previous: UInt = 0
  for word in memory.bindMemory(to: UInt.self) {
    defer { previous = word }
    // Of what is the same all over, one look is enough.
    if word == 0, previous == 0 { continue }
    for (pattern, byte) in patterns where pattern == word { found.insert(byte) }
    if word == previous, word == word &>> 8 | word &<< 56 { continue }
    // The eight words that end in this one.
    for shift in stride(from: 8, through: 64, by: 8) as StrideThrough<UInt> {
      let mixed = shift == 64 ? word : previous &>> shift | word &<< (64 - shift)
      if mixed >= addresses.low, mixed < addresses.high, addresses.contains(mixed) { pointerCount += 1 }
    }
  }
  return pointerCount
}

/// What a process has mapped.
private struct Addresses {
  private let ranges: [Range<UInt>]
  let low: UInt
  let high: UInt

  init(_ mappings: [Mapping]) {
    // In the order of addresses. Without the kernel's own page, at the end.
    ranges = mappings.map(\.addresses).filter { $0.upperBound < 1 << 47 }
    low = ranges.first?.lowerBound ?? .max
    high = ranges.last?.upperBound ?? .max
  }

  func contains(_ address: UInt) -> Bool {
    var (first, last) = (0, ranges.count)
    while first < last {
      let middle = (first + last) / 2
      if ranges[middle].upperBound <= address { first = middle + 1 } else { last = middle }
    }
    return first < ranges.count && ranges[first].contains(address)
  }
}

/// Reads each byte of a gigabyte, and says in which files the kernel says that it read them, at which offsets.
func readGigabyte(_ app: ServerApp) async throws {
  let session = try await connect(app)
  let channel = try await session.openChannel(Exchange.self)
  _ = try await ask(channel, "warm up")
  let before = try privateByteCount()
  let response = try await ask(channel, "gigabyte")
  let places = try placesOfChunks(response)
  say("read \(places.joined(separator: " ")) private \(try privateByteCount() - before)")
  session.close()
}

/// Reads all chunks of a message, which must be all of one byte; where each stands, by the kernel's own list.
private func placesOfChunks(_ message: Message<Exchange>) throws -> [String] {
  let mappings = try Mapping.all(of: getpid())
  return try message.read { root in
    let chunks = try root.chunks
    var places: [String] = []
    for index in chunks.indices {
      let place = try chunks[index].withUnsafeBytes { bytes -> String in
        guard let base = bytes.baseAddress, memcmp(base, base + 1, bytes.count - 1) == 0 else {
          throw PeerError("chunk \(index) is not all of one byte")
        }
        let address = UInt(bitPattern: base)
        guard let mapping = mappings.first(where: { $0.addresses.contains(address) }) else {
          throw PeerError("chunk \(index) stands nowhere")
        }
        return "\(mapping.inode):\(mapping.offset + address - mapping.addresses.lowerBound):\(bytes.count):\(bytes[0])"
      }
      places.append(place)
    }
    return places
  }
}

// MARK: Holding on

/// Holds a message of the session's memory and one of server-wide memory after the session has ended.
func outlive(_ app: ServerApp, options: SessionOptions) async throws {
  func state() throws -> String {
    let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    return "\(descriptors) descriptors, \(try Memory.mappings(of: app).count) mappings"
  }
  func open() async throws -> (Session, Channel<Exchange>) {
    let session = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
    return (session, try await session.openChannel(Exchange.self))
  }
  // What the first session brings and this process keeps is none of the second one's.
  try await { (opened: (session: Session, channel: Channel<Exchange>)) in
    _ = try await ask(opened.channel, "first")
    _ = await opened.session.end()
  }(try await open())
  var held = try await hold(try await open())
  say("ended")
  while let line = readLine() {
    if line == "release" { held = [] }
    let sums = try held.map { message in
      try message.read { root in
        let chunk = try root.chunks[0]
        return chunk.withUnsafeBytes { bytes in bytes.reduce(0) { $0 + Int($1) } }
      }
    }
    say("sums \(sums.map(String.init).joined(separator: " ")) left \(try state())")
  }
}

/// What came in a session that has ended.
private func hold(_ opened: (session: Session, channel: Channel<Exchange>)) async throws -> [Message<Exchange>] {
  var notes = opened.channel.notifications.makeAsyncIterator()
  let answer = try await ask(opened.channel, "payload")
  guard let note = try await notes.next() else { throw PeerError("nothing came") }
  say("holding")
  _ = await opened.session.end()
  return [answer, note]
}

// MARK: Attacking

/// Tries to do to borrowed memory what must not work, as root and then as nobody, and at last writes to it.
func attack(_ app: ServerApp) async throws {
  let session = try await connect(app)
  let channel = try await session.openChannel(Exchange.self)
  let lent = try await ask(channel, "segment")
  guard let handle = lent.takeHandles().first else { throw PeerError("no segment came along") }
  let page = try lent.read { root in
    let chunk = try root.chunks[0]
    return chunk.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) & ~4095 }
  }
  guard let target = UnsafeMutableRawPointer(bitPattern: page) else { throw PeerError("a message at 0") }
  for user in geteuid() == 0 ? ["owner", "nobody"] : ["owner"] {
    if user == "nobody", setgid(65_534) != 0 || setuid(65_534) != 0 { throw PeerError("cannot change the user") }
    attack(handle.descriptor.rawValue, target, as: user)
    let path = "/proc/self/fd/\(handle.descriptor.rawValue)"
    let again = open(path, O_RDWR | O_CLOEXEC)
    say("attack \(user) reopen \(again >= 0 ? "opened" : "refused")")
    if again >= 0 { attack(again, target, as: "\(user)-reopened") }
    try attackAll(app, as: user)
  }
  say("writing")
  signal(SIGSEGV, SIG_DFL)  // without a crash report, which takes its time
  target.storeBytes(of: 1, as: UInt8.self)
  say("written")
}

private let fallocate = unsafeBitCast(
  dlsym(nil, "fallocate"), to: (@convention(c) (Int32, Int32, Int, Int) -> Int32).self)

private func attack(_ descriptor: Int32, _ page: UnsafeMutableRawPointer, as user: String) {
  let attempts: [(String, () -> Bool)] = [
    ("write", { pwrite(descriptor, [1] as [UInt8], 1, 0) == 1 }),
    ("shrink", { ftruncate(descriptor, 0) == 0 }),
    ("grow", { ftruncate(descriptor, 1 << 40) == 0 }),
    ("punch", { fallocate(descriptor, 3, 0, 1 << 20) == 0 }),
    ("map", { mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) != MAP_FAILED }),
    ("protect", { mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0 }),
    ("remove", { madvise(page, 4096, 9) == 0 }),
  ]
  for (name, attempt) in attempts { say("attack \(user) \(name) \(attempt() ? "worked" : "failed")") }
}

/// Tries it on everything that this process may read of the other's: rings and return tables, too. By way of the mapping, of
/// the file behind it, and of this process's memory as a file.
private func attackAll(_ app: ServerApp, as user: String) throws {
  let mappings = try Mapping.borrowed(from: app)
  let memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC)
  var worked: [String] = []
  for mapping in mappings {
    guard let page = UnsafeMutableRawPointer(bitPattern: mapping.addresses.lowerBound) else { continue }
    let address = mapping.addresses.lowerBound
    if mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0 { worked.append("protect \(mapping.name)") }
    if madvise(page, 4096, 9) == 0 { worked.append("remove \(mapping.name)") }
    if pwrite(memory, [1] as [UInt8], 1, Int(address)) == 1 { worked.append("memory \(mapping.name)") }
    let bounds = "\(String(address, radix: 16))-\(String(mapping.addresses.upperBound, radix: 16))"
    let file = open("/proc/self/map_files/\(bounds)", O_RDWR | O_CLOEXEC)
    guard file >= 0 else { continue }
    if pwrite(file, [1] as [UInt8], 1, 0) == 1 { worked.append("write \(mapping.name)") }
    if ftruncate(file, 0) == 0 { worked.append("shrink \(mapping.name)") }
    if fallocate(file, 3, 0, 4096) == 0 { worked.append("punch \(mapping.name)") }
    close(file)
  }
  if memory >= 0 { close(memory) }
  say("attack \(user) all \(mappings.count) worked \(worked.joined(separator: ", "))")
}
