import CapnProto

/// Counts of one channel at one moment.
public struct ChannelStatistics: Sendable, Hashable {
  /// What went through it.
  public let traffic: Traffic
  /// Requests of this end that wait for their response, streams included.
  public let requestsPending: Int
  /// Requests of the other end that were not answered yet, those in the queue included.
  public let requestsUnanswered: Int
  /// Responses that came after their request was given up, or that answer nothing that was asked.
  public let lateResponses: UInt64
  /// Answers of this end that came too late, or answer nothing that was asked, as the other end says.
  public let unwantedAnswers: UInt64
  /// Requests of the other end that nobody took yet.
  public let requestsQueued: Int
  /// Notifications of the other end that nobody took yet.
  public let notificationsQueued: Int
}

extension Channel {
  /// What happened on this channel so far. Takes a lock or two.
  public var statistics: ChannelStatistics {
    let (pending, unanswered, late, unwanted, sorter) = core.state.withLock { state in
      (
        state.correlation.pendingCount, state.calls.count, state.correlation.lateResponseCount,
        state.unwantedAnswerCount, state.sorter
      )
    }
    let sorted = sorter?.counts ?? (requests: 0, notifications: 0)
    return ChannelStatistics(
      traffic: core.counters.traffic, requestsPending: pending, requestsUnanswered: unanswered, lateResponses: late,
      unwantedAnswers: unwanted, requestsQueued: core.requests.count + sorted.requests,
      notificationsQueued: core.notifications.count + sorted.notifications)
  }
}
