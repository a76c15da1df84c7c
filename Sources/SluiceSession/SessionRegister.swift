/// How many sessions a server has, and how fast they may come.
public struct SessionLimits: Sendable, Hashable {
  /// Most sessions at once, those included that are being admitted.
  public var sessions = 4096
  /// Most sessions at once of one user; nil for as many as there are.
  public var sessionsPerUser: Int?
  /// How fast one user's processes may open sessions; nil for no limit.
  public var rate: SessionRate?

  /// The defaults.
  public init() {}
}

/// A pace: so many a second in the long run, and so many at once.
public struct SessionRate: Sendable, Hashable {
  /// How many a second, in the long run. Below 0.001 counts as that.
  public var perSecond: Double
  /// How many at once, after a pause. Below 1 counts as 1.
  public var burst: Int

  /// A pace.
  public init(perSecond: Double, burst: Int) {
    self.perSecond = perSecond
    self.burst = burst
  }
}

/// Which sessions a server has, by their names, and how fast they came. A pure value: no clock, no I/O.
///
/// A name is booked when its client is about to be admitted, and released when the session ends or the client is refused.
struct SessionRegister {
  let limits: SessionLimits
  /// The user of each session.
  private var users: [String: UInt32] = [:]
  private var counts: [UInt32: Int] = [:]
  private var pace: Pace?

  init(limits: SessionLimits) {
    self.limits = limits
    pace = limits.rate.map { Pace(rate: $0) }
  }

  /// How many sessions are booked.
  var count: Int { users.count }

  /// Books a session, or says why there is no room for it.
  mutating func book(
    _ name: String, uid: UInt32, now: ContinuousClock.Instant
  ) throws(AdmissionPolicy.Refusal) {
    // First: who is refused for another limit has still come.
    if let rate = limits.rate, pace?.take(uid, now: now) == false {
      throw .init(reason: .rateLimit, message: "user \(uid) opens more than \(rate.perSecond) sessions a second")
    }
    guard users.count < limits.sessions else {
      throw .init(reason: .sessionLimit, message: "the server has \(limits.sessions) sessions, as many as may be")
    }
    if let limit = limits.sessionsPerUser, counts[uid, default: 0] >= limit {
      throw .init(reason: .sessionLimit, message: "user \(uid) has \(limit) sessions, as many as may be")
    }
    guard users[name] == nil else { throw .init(reason: .malformedHello, message: "the session \(name) exists") }
    users[name] = uid
    counts[uid, default: 0] += 1
  }

  /// Forgets a session.
  mutating func release(_ name: String) {
    guard let uid = users.removeValue(forKey: name) else { return }
    let left = counts[uid, default: 1] - 1
    counts[uid] = left > 0 ? left : nil
  }
}

/// Who may come when, so that each user keeps a rate. A pure value: the generic cell rate algorithm of ATM.
struct Pace {
  /// Most users whose pace is remembered. It is forgotten when it no longer matters.
  static let userLimit = 4096

  private let interval: Duration
  private let tolerance: Duration
  /// When the next one of each user would come if they came evenly.
  private var due: [UInt32: ContinuousClock.Instant] = [:]

  init(rate: SessionRate) {
    interval = .seconds(1 / max(0.001, rate.perSecond))
    tolerance = interval * max(0, rate.burst - 1)
  }

  /// Whether one of `uid` may come now; if so, it is counted.
  mutating func take(_ uid: UInt32, now: ContinuousClock.Instant) -> Bool {
    if due[uid] == nil, due.count >= Self.userLimit {
      due = due.filter { $0.value > now }
      guard due.count < Self.userLimit else { return false }
    }
    let next = max(due[uid] ?? now, now)
    guard next - now <= tolerance else { return false }
    due[uid] = next + interval
    return true
  }
}
