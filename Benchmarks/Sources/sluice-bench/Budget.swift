/// What a measured figure may be at most.
struct Budget: Codable, Sendable {
  /// As a factor of the baseline's, or nanoseconds above it, or nanoseconds.
  enum Kind: String, Codable, Sendable {
    case factor, above, absolute
  }

  let kind: Kind
  let limit: Double

  static func times(_ factor: Double) -> Budget { Budget(kind: .factor, limit: factor) }
  static func plus(nanoseconds: Double) -> Budget { Budget(kind: .above, limit: nanoseconds) }
  static func nanoseconds(_ limit: Double) -> Budget { Budget(kind: .absolute, limit: limit) }

  /// Whether a figure keeps it, given the medians over rounds of its ratio to the baseline and of its distance from it.
  func isMet(nanoseconds: Double, ratio: Double, distance: Double) -> Bool {
    switch kind {
    case .factor: ratio <= limit
    case .above: distance <= limit
    case .absolute: nanoseconds <= limit
    }
  }

  /// For the table.
  var description: String {
    switch kind {
    case .factor: "<= \(limit)x"
    case .above: "<= +\(limit / 1000) us"
    case .absolute: "<= \(Int(limit)) ns"
    }
  }
}

extension Technique {
  /// What its median may be; `nil` where nothing was promised.
  func medianBudget(in placement: Placement) -> Budget? {
    switch self {
    case .ringBusy: .times(1.5)
    case .ring, .socket, .queue: placement == .split ? .times(1.15) : .plus(nanoseconds: 1000)
    case .requestSync: placement == .split ? .times(1.15) : .plus(nanoseconds: 1500)
    case .requestSyncBusy: .times(5)
    case .ringAsyncBusy, .requestBusy: .plus(nanoseconds: 1000)
    case .ringAsync, .socketAsync, .queueAsync, .request: placement == .split ? .times(1.1) : .times(1.6)
    case .oneWay: .nanoseconds(250)
    case .oneWayBatched: .nanoseconds(100)
    case .lanes100, .lanes10000, .lanes100000: .times(1.15)
    default: nil
    }
  }

  /// What its 99th percentile may be.
  var tailBudget: Budget? {
    switch self {
    case .ring, .socket, .queue: .times(1.5)
    default: nil
    }
  }

  /// How many bytes it may allocate on the heap for each exchange.
  var allocationBudget: Double? {
    switch self {
    case .ring, .ringBusy, .socket, .queue: 0
    default: nil
    }
  }

  /// How many system calls it may make for each exchange, on this side.
  var systemCallBudget: Double? {
    switch self {
    case .ringBusy, .ringAsyncBusy, .requestSyncBusy: 0
    case .ring, .socket, .queue, .requestSync: 2
    default: nil
    }
  }
}
