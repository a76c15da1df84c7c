import CBench

/// What is counted around a loop of exchanges: heap allocations or system calls of the thread that runs it.
final class Meter: Sendable {
  enum Subject: Sendable {
    case nothing, allocatedBytes, systemCalls
  }

  let subject: Subject
  private nonisolated(unsafe) var start: Int64 = 0
  private nonisolated(unsafe) var counted: Int64?

  init(_ subject: Subject) { self.subject = subject }

  static let none = Meter(.nothing)

  /// On the thread that exchanges, when all is prepared.
  func begin() {
    switch subject {
    case .nothing: break
    case .allocatedBytes: start = bench_allocated()
    case .systemCalls: start = Int64(bench_count_begin())
    }
  }

  /// On the same thread.
  func end() {
    switch subject {
    case .nothing: break
    case .allocatedBytes: counted = start < 0 ? nil : bench_allocated() - start
    case .systemCalls:
      guard start == 0 else { return }
      let result = bench_count_end()
      counted = result < 0 ? nil : result
    }
  }

  /// For each of `count` exchanges; `nil` where this machine does not let it be counted. A handful in all is the loop's own.
  func perExchange(_ count: Int) -> Double? {
    counted.map { ($0 <= 8 ? 0 : Double($0)) / Double(max(1, count)) }
  }
}
