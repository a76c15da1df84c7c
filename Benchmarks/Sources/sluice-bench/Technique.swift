/// A way of making a round trip, or of sending one way. The raw value is its name in the table.
enum Technique: String, CaseIterable, Codable, Sendable {
  /// Two spinning processes and two cache lines.
  case cacheLine = "bare cache lines"
  /// Two processes that sleep on a futex.
  case futex = "bare futex"
  /// Two event counters, read blocking.
  case eventCounter = "bare eventfd"
  /// 64 bytes over a Unix stream socket, blocking.
  case stream = "bare Unix stream"
  /// 64 bytes over POSIX message queues, blocking.
  case messageQueue = "bare message queue"

  /// A copy of 64 KiB within memory.
  case copy = "bare memcpy, 64 KiB"

  /// 64-byte blobs over the library's transports, blocking.
  case ringBusy = "ring, spinning"
  case ring = "ring"
  case socket = "socket"
  case queue = "queue"
  /// The same from a task, on the library's reactor at both ends, and from one on the default executor.
  case ringAsyncBusy = "ring, async, spinning"
  case ringAsync = "ring, async"
  case socketAsync = "socket, async"
  case queueAsync = "queue, async"
  case ringAsyncElsewhere = "ring, async, default executor"
  case socketAsyncElsewhere = "socket, async, default executor"
  case queueAsyncElsewhere = "queue, async, default executor"
  /// 64-byte blobs in one direction; times are per blob.
  case oneWay = "ring, one way"
  case oneWayBatched = "ring, one way, batched"

  /// `channel.requestSync` on a session, with both ends spinning, and with neither.
  case requestSyncBusy = "session, requestSync, spinning"
  case requestSync = "session, requestSync"
  /// `channel.request` on a session, on the library's reactor.
  case requestBusy = "session, request, spinning"
  case request = "session, request"
  /// The same from a task on the default executor.
  case requestElsewhere = "session, request, default executor"

  /// `channel.request` over each of so many channels of one session by turns: lanes of one link.
  case lanes1 = "session, request, 1 channel"
  case lanes100 = "session, request, 100 channels"
  case lanes10000 = "session, request, 10,000 channels"
  case lanes100000 = "session, request, 100,000 channels"

  /// Whether it can be measured: spinning against each other on one processor measures the scheduler's time slices.
  func works(in placement: Placement) -> Bool {
    switch self {
    case .cacheLine, .ringBusy, .ringAsyncBusy, .requestSyncBusy, .requestBusy, .oneWay, .oneWayBatched:
      placement == .split
    default: true
    }
  }

  /// What it is compared with.
  var baseline: Technique {
    switch self {
    case .cacheLine, .ringBusy, .requestSyncBusy, .oneWay, .oneWayBatched: .cacheLine
    case .futex, .ring, .eventCounter, .requestSync: .futex
    case .stream, .socket: .stream
    case .messageQueue, .queue: .messageQueue
    case .requestBusy: .requestSyncBusy
    case .request, .requestElsewhere: .requestSync
    case .ringAsyncBusy: .ringBusy
    case .ringAsync, .ringAsyncElsewhere: .ring
    case .socketAsync, .socketAsyncElsewhere: .socket
    case .queueAsync, .queueAsyncElsewhere: .queue
    case .lanes1, .lanes100, .lanes10000, .lanes100000: .lanes1
    case .copy: .copy
    }
  }

  /// Those of these names, which semicolons separate; all for none.
  static func chosen(_ names: String) -> [Technique] {
    let names = names.split(separator: ";")
    return allCases.filter { names.isEmpty || names.contains(Substring($0.rawValue)) }
  }

  /// What it is compared with in that placement.
  func baseline(in placement: Placement) -> Technique { baseline.works(in: placement) ? baseline : .futex }

  /// Over how many channels, for those that say it.
  var channelCount: Int? {
    switch self {
    case .lanes1: 1
    case .lanes100: 100
    case .lanes10000: 10_000
    case .lanes100000: 100_000
    default: nil
    }
  }

  /// Whether a task on the library's reactor exchanges, or one on the default executor; `nil` for threads.
  var isOnReactor: Bool? {
    switch self {
    case .ringAsyncBusy, .ringAsync, .socketAsync, .queueAsync: true
    case .ringAsyncElsewhere, .socketAsyncElsewhere, .queueAsyncElsewhere: false
    default: nil
    }
  }

  /// What the answering side is asked for, as one byte on the control connection.
  var code: UInt8 { UInt8(Technique.allCases.firstIndex(of: self) ?? 0) }

  init?(code: UInt8) {
    guard Int(code) < Technique.allCases.count else { return nil }
    self = Technique.allCases[Int(code)]
  }
}
