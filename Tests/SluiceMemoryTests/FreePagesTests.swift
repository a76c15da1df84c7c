import Testing
import TestSupport

@testable import SluiceMemory

@Suite struct FreePagesTests {
  @Test func neighboursOfOneSegmentJoinAndThoseOfTwoDoNot() {
    var free = FreePages()
    free.insert(PageRun(segment: 0, firstPage: 0, pageCount: 4))
    free.insert(PageRun(segment: 0, firstPage: 8, pageCount: 4))
    free.insert(PageRun(segment: 1, firstPage: 12, pageCount: 4))
    #expect(free.runs.count == 3)
    free.insert(PageRun(segment: 0, firstPage: 4, pageCount: 4))
    #expect(
      free.runs == [
        PageRun(segment: 0, firstPage: 0, pageCount: 12), PageRun(segment: 1, firstPage: 12, pageCount: 4),
      ])
  }

  @Test func theSmallestRunThatFitsIsTakenAndTheLowestOfEqualOnes() {
    var free = FreePages()
    free.insert(PageRun(segment: 0, firstPage: 0, pageCount: 100))
    free.insert(PageRun(segment: 0, firstPage: 200, pageCount: 10))
    free.insert(PageRun(segment: 0, firstPage: 300, pageCount: 10))
    #expect(free.take(pageCount: 8) == PageRun(segment: 0, firstPage: 200, pageCount: 8))
    #expect(free.take(pageCount: 9) == PageRun(segment: 0, firstPage: 300, pageCount: 9))
    #expect(free.take(pageCount: 2) == PageRun(segment: 0, firstPage: 208, pageCount: 2))
    #expect(free.take(pageCount: 101) == nil)
    #expect(free.take(pageCount: 40, fromRunsUpTo: 80) == nil)
    #expect(free.take(pageCount: 100) == PageRun(segment: 0, firstPage: 0, pageCount: 100))
    #expect(free.runs == [PageRun(segment: 0, firstPage: 309, pageCount: 1)])
  }

  @Test func onlyAWholeRunCanBeRemoved() {
    var free = FreePages()
    free.insert(PageRun(segment: 3, firstPage: 0, pageCount: 16))
    #expect(free.remove(PageRun(segment: 3, firstPage: 0, pageCount: 15)) == false)
    #expect(free.remove(PageRun(segment: 2, firstPage: 0, pageCount: 16)) == false)
    #expect(free.remove(PageRun(segment: 3, firstPage: 0, pageCount: 16)) == true)
    #expect(free.runs.isEmpty)
    #expect(free.take(pageCount: 1) == nil)
  }

  /// Random takes and insertions against one flag for each page.
  @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
  func randomSequencesKeepEveryPageExactlyOnce(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pagesPerSegment = 100
    var isFree = Array(repeating: Array(repeating: true, count: pagesPerSegment), count: 3)
    var free = FreePages()
    for segment in isFree.indices {
      free.insert(PageRun(segment: segment, firstPage: 0, pageCount: pagesPerSegment))
    }
    var taken: [PageRun] = []
    for _ in 0..<1_000 {
      if Bool.random(using: &random) || taken.isEmpty {
        let wanted = Int.random(in: 1...20, using: &random)
        let expected = Self.freeRuns(isFree).filter { $0.pageCount >= wanted }.min { $0.pageCount < $1.pageCount }
        let run = free.take(pageCount: wanted)
        #expect(run?.segment == expected?.segment)
        #expect(run?.firstPage == expected?.firstPage)
        guard let run else { continue }
        #expect(run.pageCount == wanted)
        for page in run.firstPage..<run.endPage { isFree[run.segment][page] = false }
        taken.append(run)
      } else {
        let run = taken.remove(at: Int.random(in: taken.indices, using: &random))
        free.insert(run)
        for page in run.firstPage..<run.endPage { isFree[run.segment][page] = true }
      }
      #expect(free.runs == Self.freeRuns(isFree))
    }
  }

  /// The longest runs of free pages, in order.
  private static func freeRuns(_ isFree: [[Bool]]) -> [PageRun] {
    var runs: [PageRun] = []
    for (segment, pages) in isFree.enumerated() {
      for (page, free) in pages.enumerated() where free {
        if let last = runs.last, last.segment == segment, last.endPage == page {
          runs[runs.count - 1].pageCount += 1
        } else {
          runs.append(PageRun(segment: segment, firstPage: page, pageCount: 1))
        }
      }
    }
    return runs
  }
}
