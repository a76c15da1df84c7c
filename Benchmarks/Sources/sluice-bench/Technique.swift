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

  /// 64-byte blobs over the library's transports, blocking.
  case ringBusy = "ring, spinning"
  case ring = "ring"
  case socket = "socket"
  case queue = "queue"
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

  /// Whether it can be measured: spinning against each other on one processor measures the scheduler's time slices.
  func works(in placement: Placement) -> Bool {
    switch self {
    case .cacheLine, .ringBusy, .requestSyncBusy, .requestBusy, .oneWay, .oneWayBatched: placement == .split
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
    }
  }

  /// What the answering side is asked for, as one byte on the control connection.
  var code: UInt8 { UInt8(Technique.allCases.firstIndex(of: self) ?? 0) }

  init?(code: UInt8) {
    guard Int(code) < Technique.allCases.count else { return nil }
    self = Technique.allCases[Int(code)]
  }
}
