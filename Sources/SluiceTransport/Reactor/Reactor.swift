import DequeModule
import SluiceSystem
import Synchronization
import SystemPackage

/// One thread that waits for descriptors and deadlines, and runs what is to be done about them: handlers, timers, actions,
/// and the tasks that prefer it as their executor.
///
/// A task on its reactor (`Task(executorPreference: Reactor.shared)`) that waits for I/O is resumed on the thread that saw
/// it become ready: no hop to another thread, which on one CPU costs several times the I/O itself. What runs here must not
/// block; there is one thread.
///
/// `Reactor.shared` lives for ever. A reactor of one's own lives until `shutdown`. All members are thread-safe.
public final class Reactor: TaskExecutor, Sendable {
  /// What is called when a descriptor is ready.
  public typealias Handler = @Sendable (IOEvents) -> Void

  /// The reactor that the library uses unless told otherwise. Its first use ends the program if the kernel has no
  /// descriptor or no thread left for it; make one of your own to handle that.
  public static let shared: Reactor = {
    do {
      return try Reactor(name: "sluice")
    } catch {
      fatalError("no reactor: \(error)")
    }
  }()

  struct Match {
    let registration: Registration
    let events: IOEvents
    let handler: Handler
  }

  // Safe because each piece of work leaves its queue once and is run then: a job must run exactly once.
  @safe private enum Work {
    case action(@Sendable () -> Void)
    case job(UnownedJob)
    case isolatedJob(UnownedJob, UnownedSerialExecutor)
  }

  private struct Shared: ~Copyable {
    var registrations: RegistrationTable
    var timers = TimerHeap()
    var work: Deque<Work> = []
    var isStopping = false
    /// The thread has left its loop, or is about to without looking here again.
    var hasStopped = false
  }

  let epoll: Epoll
  let kick: EventCounter
  /// Instead of a thread: shows a loop of the caller's own when the next action is due.
  let timer: DeadlineTimer?
  private let shared: Mutex<Shared>
  private let thread = Mutex<WorkerThread?>(nil)
  /// The thread's identifier, set by itself before anything else runs on it.
  private let threadIdentifier = Atomic<UInt>(0)
  /// Whether the thread may be waiting in the kernel, so that new work must kick it.
  private let isAsleep = Atomic<Bool>(false)
  // Work that the reactor's thread gave to itself. Only that thread touches it: see `push`.
  nonisolated(unsafe) private var local: Deque<Work> = []

  /// What was busy lately, and is looked at before the thread sleeps. Only the reactor's thread touches it, as `local`.
  nonisolated(unsafe) private var awake: [any ReactorPoller] = []
  private let spinner: RingSpinner
  /// Whether somebody gave work since the thread looked; so that it sees it while it spins, without the lock.
  private let hasNewWork = Atomic<Bool>(false)

  /// How much work is done before I/O is looked at again, so that neither starves the other.
  private static let workPerTurn = 256
  /// How often the rings are looked at before the descriptors are, while they are busy.
  private static let turnsBetweenPolls = 32
  private let busyTurns = Atomic<Int>(0)
  /// The token of the descriptor that kicks; those of others have a generation above 0.
  private static let kickToken: UInt64 = 0

  /// Starts a reactor. It must be shut down, else its thread keeps it.
  ///
  /// - Parameters:
  ///   - name: The thread's name, for debuggers; cut to 15 bytes.
  ///   - spinning: How long it looks for more from a ring that was busy, before it sleeps.
  /// - Throws: `EMFILE` without two descriptors, `EAGAIN` at a limit of threads.
  public convenience init(name: String, spinning: RingSpinning = .default) throws(SystemError) {
    try self.init(spinning: spinning, timer: nil)
    let worker = try WorkerThread(name: name) { [self] in run() }
    thread.withLock { $0 = worker }
  }

  /// A reactor that has its own thread, or will be driven.
  init(spinning: RingSpinning, timer: DeadlineTimer?) throws(SystemError) {
    spinner = RingSpinner(spinning, processorCount: .max)
    epoll = try Epoll()
    kick = try EventCounter()
    self.timer = timer
    shared = Mutex(Shared(registrations: RegistrationTable(epoll: epoll)))
    // Edge-triggered and never read: each signal, and each deadline, reports it once.
    try epoll.add(kick.descriptor, [.readable, .edgeTriggered], token: Reactor.kickToken)
    // A loop that has not processed yet sleeps as one that has.
    isAsleep.store(timer != nil, ordering: .relaxed)
    if let timer { try epoll.add(timer.descriptor, [.readable, .edgeTriggered], token: Reactor.kickToken) }
  }

  /// Whether the caller runs on the reactor's thread.
  public var isCurrentThread: Bool {
    threadIdentifier.load(ordering: .relaxed) == WorkerThread.currentIdentifier
  }

  /// Whether this is the reactor's thread and it has other work to do: then nobody may hold it up.
  var isBusyHere: Bool {
    // `local` is read only on the thread that owns it.
    guard isCurrentThread else { return false }
    return unsafe !local.isEmpty || hasNewWork.load(ordering: .relaxed)
  }

  /// How many registrations and timers there are, for statistics and tests.
  public var pendingCount: Int { shared.withLock { $0.registrations.count + $0.timers.count } }

  // MARK: Descriptors and time

  /// Watches a descriptor, level-triggered: the handler runs on the reactor's thread, again and again, as long as the
  /// descriptor is ready. Several registrations may watch one descriptor.
  ///
  /// - Parameters:
  ///   - events: What to wait for. Failure and hang-up are reported in any case. Nothing pauses it.
  ///   - handler: Keeps what it captures until the registration is cancelled or the reactor shut down. A reactor that is
  ///     shut down calls it a last time with `hungUp`.
  /// - Throws: `EBADF` or `EPERM` when it cannot be watched, `ENOSPC` at `fs.epoll.max_user_watches`, `ESHUTDOWN` after
  ///   `shutdown`.
  public func register(
    _ descriptor: FileDescriptor, for events: IOEvents, handler: @escaping Handler
  ) throws(SystemError) -> Registration {
    let registration = Registration(self, descriptor)
    try shared.withLock { (state) throws(SystemError) in
      guard !state.isStopping else {
        throw SystemError(operation: "epoll_ctl", errno: .socketShutdown, detail: "the reactor is shut down")
      }
      try state.registrations.add(registration, events, handler)
    }
    return registration
  }

  func withRegistrations<Result: Sendable, Failure: Error>(
    _ body: (inout RegistrationTable) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try shared.withLock { (state) throws(Failure) in try body(&state.registrations) }
  }

  /// Runs an action on the reactor's thread, at a deadline or as soon as possible after it. Those of one deadline run in the
  /// order they were scheduled. After `shutdown` they do not run.
  @discardableResult
  public func schedule(
    at deadline: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void
  ) -> ScheduledAction {
    let (id, isFirst) = shared.withLock { state in
      if state.isStopping { return (0 as TimerHeap.ID, false) }
      let previous = state.timers.nextDeadline
      return (state.timers.insert(at: deadline, action), previous.map { deadline < $0 } ?? true)
    }
    if isFirst { wake() }
    return ScheduledAction(self, id)
  }

  func cancelTimer(_ id: TimerHeap.ID) -> Bool {
    // The action is released when the lock no longer is held: what it keeps may call back as it goes.
    let action = shared.withLock { $0.timers.remove(id) }
    return action != nil
  }

  // MARK: Work

  /// Runs an action on the reactor's thread, soon, never before this returns unless the reactor is shut down: then it runs
  /// at once, on the caller's thread. Actions and jobs of one thread run in the order they were given.
  public func perform(_ action: @escaping @Sendable () -> Void) {
    push(.action(action))
  }

  /// Runs a job of a task that prefers this executor. Without a lock and without a kick on the reactor's own thread.
  public func enqueue(_ job: consuming ExecutorJob) {
    push(.job(UnownedJob(job)))
  }

  /// The serial executor for actors that live on this reactor.
  public var serialExecutor: ReactorSerialExecutor { ReactorSerialExecutor(self) }

  func enqueue(_ job: UnownedJob, isolatedTo executor: UnownedSerialExecutor) {
    unsafe push(.isolatedJob(job, executor))
  }

  private func push(_ work: Work) {
    if isCurrentThread {
      // Sound: we are the one thread that touches it.
      unsafe local.append(work)
      return
    }
    let hasStopped = shared.withLock { state in
      if !state.hasStopped {
        state.work.append(work)
        hasNewWork.store(true, ordering: .relaxed)
      }
      return state.hasStopped
    }
    // A job must run, or its task would never end.
    if hasStopped { return execute(work) }
    wake()
  }

  /// Gets the thread out of the kernel, if it may be there. Whatever it is to see must be in `shared` by now.
  private func wake() {
    if isAsleep.exchange(false, ordering: .sequentiallyConsistent) { kick.signal() }
  }

  private func execute(_ work: Work) {
    switch work {
    case .action(let action): action()
    case .job(let job): unsafe job.runSynchronously(on: asUnownedTaskExecutor())
    case .isolatedJob(let job, let executor):
      unsafe job.runSynchronously(isolatedTo: executor, taskExecutor: asUnownedTaskExecutor())
    }
  }

  // MARK: The loop

  /// Runs until it is stopped: what the thread does, and, without one, who shuts the reactor down.
  private func run() {
    threadIdentifier.store(WorkerThread.currentIdentifier, ordering: .relaxed)
    repeat {
      runTimers()
      runWork()
      poll()
    } while !stopIfAsked()
    threadIdentifier.store(0, ordering: .relaxed)
  }

  private func runTimers() {
    guard let next = shared.withLock({ $0.timers.nextDeadline }) else { return }
    let now = ContinuousClock.now
    if next > now { return }
    // Those that are added meanwhile wait for the next turn, or an action that schedules itself would keep us here.
    let latest = shared.withLock { $0.timers.latestID }
    while let action = shared.withLock({ $0.timers.popDue(at: now, upTo: latest) }) { action() }
  }

  private func runWork() {
    shared.withLock { state in
      hasNewWork.store(false, ordering: .relaxed)
      guard !state.work.isEmpty else { return }
      // Sound, here and below: we are the one thread that touches it.
      unsafe local.append(contentsOf: state.work)
      state.work.removeAll(keepingCapacity: state.work.count <= Reactor.workPerTurn)
    }
    for _ in 0..<Reactor.workPerTurn {
      guard let work = unsafe local.popFirst() else { return }
      execute(work)
    }
  }

  /// Has a poller looked at before the thread sleeps. It is looked at until it has come to rest. On the reactor's thread.
  func stayAwake(for poller: any ReactorPoller) {
    // Sound, here and below: we are the one thread that touches it.
    let isKnown = unsafe awake.contains { $0 === poller }
    if !isKnown { unsafe awake.append(poller) }
  }

  /// Looks for more where something was lately; false when there is nothing, and all of them will tell when there is.
  private func lookAround() -> Bool {
    guard unsafe !awake.isEmpty else { return false }
    let isIdle = unsafe local.isEmpty
    guard isIdle else {
      _ = pollAll()
      return true
    }
    let maySpin = unsafe awake.contains { $0.maySpin }
    // Without spinning, one look.
    var last = pollAll()
    if maySpin, last == .nothing {
      let isChanged = spinner.spin {
        last = pollAll()
        return last != .nothing || hasNewWork.load(ordering: .relaxed)
      }
      if isChanged, last != .attended { return true }
    }
    if last == .found { return true }
    unsafe awake.removeAll { $0.settle() }
    return unsafe !awake.isEmpty
  }

  /// Looks at all of them once. `attended` when others look at each of them.
  @inline(__always)
  private func pollAll() -> ReactorPoll {
    var result = ReactorPoll.attended
    // Not over a copy, which would be counted in each round; what is delivered may add to them.
    var index = 0
    while index < (unsafe awake.count) {
      switch unsafe awake[index].poll() {
      case .attended: break
      case .found: result = .found
      case .nothing: if result == .attended { result = .nothing }
      }
      index += 1
    }
    return result
  }

  /// Waits for descriptors, not at all if there is work to do, and runs their handlers.
  private func poll() {
    var deadline: ContinuousClock.Instant?
    let isBusy = lookAround()
    if isBusy {
      // Descriptors get their turn, if not each time.
      let turns = busyTurns.wrappingAdd(1, ordering: .relaxed).newValue
      guard turns % Reactor.turnsBetweenPolls == 0 else { return }
      deadline = .now
    } else if unsafe local.isEmpty {
      // Said before looking: whoever adds something after we have looked sees it, and kicks.
      isAsleep.store(true, ordering: .sequentiallyConsistent)
      deadline = shared.withLock { state in
        state.work.isEmpty && !state.isStopping ? state.timers.nextDeadline : .now
      }
    } else {
      deadline = .now
    }
    handleDescriptors(deadline: deadline)
    isAsleep.store(false, ordering: .sequentiallyConsistent)
  }

  private func handleDescriptors(deadline: ContinuousClock.Instant?) {
    do {
      try epoll.wait(deadline: deadline) { token, events in
        isAsleep.store(false, ordering: .sequentiallyConsistent)
        if token == Reactor.kickToken { return }
        for match in shared.withLock({ $0.registrations.matches(token: token, events) }) {
          match.registration.run(match.handler, match.events)
        }
      }
    } catch {
      // The kernel refuses only what cannot be: a closed epoll descriptor. Going on would be an endless loop.
      fatalError("the reactor's descriptor was closed by somebody else: \(error)")
    }
  }

  // MARK: Driven by the caller

  /// One turn of a reactor without a thread: see `Reactor+Driven.swift`. What is left makes the descriptor readable again.
  func turn(_ timer: DeadlineTimer) {
    threadIdentifier.store(WorkerThread.currentIdentifier, ordering: .relaxed)
    isAsleep.store(false, ordering: .sequentiallyConsistent)
    runTimers()
    runWork()
    _ = pollAll()
    handleDescriptors(deadline: .now)
    runWork()
    unsafe awake.removeAll { $0.settle() }
    let isIdle = unsafe awake.isEmpty && local.isEmpty
    // Said before looking, as in `poll`.
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    let (isQuiet, next) = shared.withLock { state in
      (state.work.isEmpty && !state.isStopping, state.timers.nextDeadline)
    }
    timer.set(next)
    if !isIdle || !isQuiet { kick.signal() }
    threadIdentifier.store(0, ordering: .relaxed)
  }

  // MARK: The end

  /// Ends the reactor: work that was given runs to its end, registrations get a last call with `hungUp`, timers are
  /// dropped, then the thread ends. Waits for that, unless called on the reactor's own thread; without a thread, all that
  /// happens here. The second time, nothing happens. Not for `Reactor.shared`, which ignores it.
  ///
  /// Tasks that still prefer this executor afterwards run on the threads that resume them.
  public func shutdown() {
    if self === Reactor.shared { return }
    shared.withLock { $0.isStopping = true }
    wake()
    if timer != nil, !shared.withLock({ $0.hasStopped }), !isCurrentThread { return run() }
    guard let worker = thread.withLock({ $0.take() }) else { return }
    if isCurrentThread { worker.detach() } else { worker.join() }
  }

  private func stopIfAsked() -> Bool {
    let ending = shared.withLock { state in state.isStopping ? state.registrations.all : nil }
    guard let ending else { return false }
    for match in ending {
      match.registration.run(match.handler, match.events)
      match.registration.cancel()
    }
    let dropped = shared.withLock { $0.timers.removeAll() }
    defer { withExtendedLifetime(dropped) {} }
    return shared.withLock { state in
      // Sound: we are the one thread that touches it.
      state.hasStopped = unsafe local.isEmpty && state.work.isEmpty
      return state.hasStopped
    }
  }
}

/// An executor for actors whose isolated code shall run on a reactor's thread:
/// `nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }`.
///
/// The actor keeps it. Calls from tasks that prefer the reactor do not change threads.
public final class ReactorSerialExecutor: SerialExecutor, Sendable {
  private let reactor: Reactor

  init(_ reactor: Reactor) {
    self.reactor = reactor
  }

  /// Runs a job on the reactor's thread.
  public func enqueue(_ job: consuming ExecutorJob) {
    unsafe reactor.enqueue(UnownedJob(job), isolatedTo: asUnownedSerialExecutor())
  }

  /// Stops the program unless it runs on the reactor's thread, as the language demands of `assumeIsolated`.
  public func checkIsolated() {
    precondition(reactor.isCurrentThread, "not on the reactor's thread")
  }
}
