import Testing

@testable import SluiceChannel

@Suite("The numbers of requests") struct CorrelationTests {
  @Test func `each waiter comes out exactly once`() {
    var correlation = Correlation<Int>(limit: 3)
    guard case .began(let first) = correlation.begin(1), case .began(let second) = correlation.begin(2),
      case .began(let third) = correlation.begin(3)
    else { return #expect(Bool(false), "must begin") }
    guard case .full = correlation.begin(4) else { return #expect(Bool(false), "must be full") }
    let resolved = [correlation.resolve(second), correlation.resolve(second)]
    let withdrawn = [correlation.withdraw(first), correlation.resolve(first)]
    #expect(resolved == [2, nil])
    #expect(withdrawn == [1, nil])
    #expect(correlation.lateResponseCount == 2)
    let ended = [correlation.end(), correlation.end()]
    let late = correlation.withdraw(third)
    #expect(ended == [[3], []])
    #expect(late == nil)
    guard case .ended = correlation.begin(5) else { return #expect(Bool(false), "must have ended") }
  }

  @Test("lead each waiter out once, whatever the order, and never twice to anybody")
  func model() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      var correlation = Correlation<Int>(limit: 8)
      var model: [UInt64: Int] = [:]
      var given: Set<UInt64> = []
      var late: UInt64 = 0
      for step in 0..<300 {
        let known = model.keys.randomElement()
        switch Int.random(in: 0...4, using: &random) {
        case 0, 1:
          switch correlation.begin(step) {
          case .began(let number):
            #expect(number != 0 && given.insert(number).inserted, "a number was given twice")
            model[number] = step
          case .full: #expect(model.count == 8)
          case .ended: Issue.record("it has not ended")
          }
        case 2:
          guard let known else { continue }
          #expect(correlation.resolve(known) == model.removeValue(forKey: known))
        case 3:
          guard let known else { continue }
          #expect(correlation.withdraw(known) == model.removeValue(forKey: known))
        default:
          // What was answered before, what was never asked, anything at all.
          let anything = UInt64.random(in: 0 ... .max) >> UInt64.random(in: 0..<64)
          let number = Bool.random() ? given.randomElement() ?? 0 : anything
          guard model[number] == nil else { continue }
          #expect(correlation.resolve(number) == nil)
          late += 1
        }
        #expect(correlation.pendingCount == model.count && correlation.lateResponseCount == late)
      }
      #expect(correlation.end().sorted() == model.values.sorted())
      #expect(correlation.pendingCount == 0)
      guard case .ended = correlation.begin(0) else {
        Issue.record("it has ended")
        continue
      }
      for number in given { #expect(correlation.withdraw(number) == nil) }
    }
  }
}
