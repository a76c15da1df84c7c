import SluiceTransport
import Testing

@Suite("A spinner") struct RingSpinnerTests {
  /// How often a wait looks for a change that does not come.
  private func looks(_ spinner: borrowing RingSpinner) -> Int {
    var count = 0
    let isChanged = spinner.spin {
      count += 1
      return false
    }
    #expect(!isChanged)
    return count
  }

  @Test("does not look once when it is off, or where nobody else could run")
  func off() {
    let off = RingSpinner(.off, processorCount: 2)
    let brief = RingSpinner(.fixed(.zero), processorCount: 2)
    let alone = RingSpinner(.fixed(.seconds(1)), processorCount: 1)
    for _ in 0..<100 { #expect([looks(off), looks(brief), looks(alone)] == [0, 0, 0]) }
  }

  @Test("looks each time for a fixed time") func fixed() {
    let spinner = RingSpinner(.fixed(.microseconds(1)), processorCount: 2)
    for _ in 0..<200 { #expect(looks(spinner) > 1) }
    #expect(spinner.spin { true })
  }

  @Test("looks now and then only when it was in vain eight times, and each time again after a change") func adaptive() {
    let spinner = RingSpinner(.adaptive(.microseconds(1)), processorCount: 2)
    for _ in 0..<3 {
      let looked = (0..<64 * 3).filter { _ in looks(spinner) > 0 }
      #expect(looked == Array(0..<8) + [64, 128])
      #expect(spinner.spin { true }, "the 192nd looks")
    }
  }

  @Test("sees a change that comes after a while") func late() {
    let spinner = RingSpinner(.fixed(.seconds(3600 * 24)), processorCount: 2)
    var count = 0
    let isChanged = spinner.spin {
      count += 1
      return count == 100_000
    }
    #expect(isChanged && count == 100_000)
  }
}
