import Testing

@testable import perf_demo

@Suite struct FiguresTests {
  @Test(arguments: [
    (0.0, "0"), (1.0, "1"), (1.004, "1"), (1.05, "1.05"), (9.994, "9.99"), (9.996, "10"), (98.34, "98.3"),
    (99.96, "100"), (480.4, "480"), (1234.0, "1234"), (1.5, "1.5"),
  ])
  func `a number is shown to three digits`(value: Double, text: String) {
    #expect(Figures.threeDigits(value) == text)
  }

  @Test(
    arguments: [
      (0, "0 ns"), (850, "850 ns"), (999, "999 ns"), (1000, "1 us"), (98_340, "98.3 us"), (999_900, "1 ms"),
      (46_000_000, "46 ms"), (480_000_000, "480 ms"), (1_020_000_000, "1.02 s"),
    ] as [(UInt64, String)])
  func `a time is shown in the unit that keeps it short`(nanoseconds: UInt64, text: String) {
    #expect(Figures.duration(nanoseconds: nanoseconds) == text)
  }

  @Test func `a ratio to nothing is not shown`() {
    #expect(Figures.ratio(3, to: 0) == "-")
    #expect(Figures.ratio(480_000, to: 96) == "5000 x")
  }
}
