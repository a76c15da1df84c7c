import SluiceSystem
import Synchronization
import SystemPackage

/// Who waits for which descriptor, and what the kernel was told: one entry of the epoll set per descriptor, for all that
/// wait for it together. Owned by a reactor, which serialises its use.
struct RegistrationTable: ~Copyable {
  private struct Descriptor {
    let generation: UInt32
    /// What the kernel was told to wait for; `nil` when it was told nothing.
    var told: IOEvents?
    var waiters: [Waiter] = []
  }

  private struct Waiter {
    let registration: Registration
    var events: IOEvents
    let handler: Reactor.Handler
  }

  private let epoll: Epoll
  private var descriptors: [CInt: Descriptor] = [:]
  private var lastGeneration: UInt32 = 0

  init(epoll: Epoll) {
    self.epoll = epoll
  }

  /// How many registrations there are.
  var count: Int { descriptors.values.reduce(0) { $0 + $1.waiters.count } }

  mutating func add(
    _ registration: Registration, _ events: IOEvents, _ handler: @escaping Reactor.Handler
  ) throws(SystemError) {
    let number = registration.descriptor.rawValue
    if descriptors[number] == nil {
      lastGeneration &+= 1
      descriptors[number] = Descriptor(generation: lastGeneration)
    }
    descriptors[number]?.waiters.append(Waiter(registration: registration, events: events, handler: handler))
    do {
      try tell(number)
    } catch {
      remove(registration)
      throw error
    }
  }

  mutating func update(_ registration: Registration, _ events: IOEvents) throws(SystemError) {
    let number = registration.descriptor.rawValue
    guard let index = descriptors[number]?.waiters.firstIndex(where: { $0.registration === registration }) else {
      return
    }
    descriptors[number]?.waiters[index].events = events
    try tell(number)
  }

  /// Returns the handler, if it was there, to be released by the caller: what it keeps may want to cancel registrations of
  /// its own as it goes, which must not happen in the middle of this.
  @discardableResult
  mutating func remove(_ registration: Registration) -> Reactor.Handler? {
    let number = registration.descriptor.rawValue
    guard let index = descriptors[number]?.waiters.firstIndex(where: { $0.registration === registration }) else {
      return nil
    }
    let handler = descriptors[number]?.waiters.remove(at: index).handler
    // Fails only when the descriptor was closed too early; then the kernel has forgotten it by itself.
    try? tell(number)
    if descriptors[number]?.waiters.isEmpty == true { descriptors[number] = nil }
    return handler
  }

  /// Brings the kernel's books up to date.
  private mutating func tell(_ number: CInt) throws(SystemError) {
    guard let entry = descriptors[number] else { return }
    let wanted = entry.waiters.reduce(IOEvents()) { $0.union($1.events) }
    // With nothing to wait for, the kernel would still report a hang-up, again and again.
    let new: IOEvents? = wanted.isEmpty ? nil : wanted
    guard new != entry.told else { return }
    let descriptor = FileDescriptor(rawValue: number)
    let token = UInt64(entry.generation) << 32 | UInt64(UInt32(bitPattern: number))
    switch (entry.told, new) {
    case (nil, let events?): try epoll.add(descriptor, events, token: token)
    case (_?, let events?): try epoll.modify(descriptor, events, token: token)
    case (_?, nil): try epoll.remove(descriptor)
    case (nil, nil): break
    }
    descriptors[number]?.told = new
  }

  /// Who is to be called for an event of the kernel's.
  func matches(token: UInt64, _ events: IOEvents) -> [Reactor.Match] {
    let number = CInt(truncatingIfNeeded: token)
    // An event of an earlier descriptor of the same number, removed after the kernel reported it, is for nobody.
    guard let entry = descriptors[number], entry.generation == UInt32(truncatingIfNeeded: token >> 32) else {
      return []
    }
    return entry.waiters.compactMap { waiter in
      let matching = events.intersection(waiter.events.union([.failed, .hungUp]))
      if waiter.events.isEmpty || matching.isEmpty { return nil }
      return Reactor.Match(registration: waiter.registration, events: matching, handler: waiter.handler)
    }
  }

  /// Everybody, to be told that the reactor ends.
  var all: [Reactor.Match] {
    descriptors.values.flatMap(\.waiters).map { waiter in
      Reactor.Match(registration: waiter.registration, events: .hungUp, handler: waiter.handler)
    }
  }
}
