/// Pages of one segment that lie in a row.
struct PageRun: Hashable {
  var segment: Int
  var firstPage: Int
  var pageCount: Int

  var endPage: Int { firstPage + pageCount }
}

/// Which pages of some segments are free, for best-fit allocation: a pure value without memory of its own.
///
/// Neighbouring free runs of a segment are one run. Finding takes logarithmic time; inserting and removing moves the
/// entries behind in two arrays, a few microseconds when there are 10,000 runs.
struct FreePages {
  /// All runs, by segment, then by page.
  private(set) var runs: [PageRun] = []
  /// The same runs, by size, then by segment and page, so that of equal runs the lowest goes first.
  private var bySize: [PageRun] = []

  /// Adds a run that is not free yet, and joins it with its neighbours.
  mutating func insert(_ added: PageRun) {
    var run = added
    var place = runs.firstIndex(notBefore: run, PageRun.precedesByPlace)
    if place < runs.count, runs[place].segment == run.segment {
      precondition(run.endPage <= runs[place].firstPage, "pages freed twice")
      if run.endPage == runs[place].firstPage {
        run.pageCount += runs[place].pageCount
        remove(at: place)
      }
    }
    if place > 0, runs[place - 1].segment == run.segment {
      precondition(runs[place - 1].endPage <= run.firstPage, "pages freed twice")
      if runs[place - 1].endPage == run.firstPage {
        place -= 1
        run.firstPage = runs[place].firstPage
        run.pageCount += runs[place].pageCount
        remove(at: place)
      }
    }
    runs.insert(run, at: place)
    bySize.insert(run, at: bySize.firstIndex(notBefore: run, PageRun.precedesBySize))
  }

  /// Takes `pageCount` pages from the start of the smallest run that has as many; nil when there is none, or when the
  /// smallest has more than `limit`.
  mutating func take(pageCount: Int, fromRunsUpTo limit: Int = .max) -> PageRun? {
    let wanted = PageRun(segment: -1, firstPage: 0, pageCount: pageCount)
    let fit = bySize.firstIndex(notBefore: wanted, PageRun.precedesBySize)
    guard fit < bySize.count, bySize[fit].pageCount <= limit else { return nil }
    let found = bySize.remove(at: fit)
    let place = runs.firstIndex(notBefore: found, PageRun.precedesByPlace)
    guard found.pageCount > pageCount else {
      runs.remove(at: place)
      return found
    }
    let rest = PageRun(
      segment: found.segment, firstPage: found.firstPage + pageCount, pageCount: found.pageCount - pageCount)
    runs[place] = rest
    bySize.insert(rest, at: bySize.firstIndex(notBefore: rest, PageRun.precedesBySize))
    return PageRun(segment: found.segment, firstPage: found.firstPage, pageCount: pageCount)
  }

  /// Takes the first pages of a free run: false, and nothing changes, unless one begins where `wanted` does and is as long.
  mutating func take(_ wanted: PageRun) -> Bool {
    let place = runs.firstIndex(notBefore: wanted, PageRun.precedesByPlace)
    guard place < runs.count, runs[place].segment == wanted.segment, runs[place].firstPage == wanted.firstPage,
      runs[place].pageCount >= wanted.pageCount
    else { return false }
    let found = runs[place]
    remove(at: place)
    guard found.pageCount > wanted.pageCount else { return true }
    insert(
      PageRun(segment: found.segment, firstPage: wanted.endPage, pageCount: found.pageCount - wanted.pageCount))
    return true
  }

  /// Removes exactly this run. False, and nothing changes, when it is not one of the free runs.
  mutating func remove(_ run: PageRun) -> Bool {
    let place = runs.firstIndex(notBefore: run, PageRun.precedesByPlace)
    guard place < runs.count, runs[place] == run else { return false }
    remove(at: place)
    return true
  }

  private mutating func remove(at place: Int) {
    let run = runs.remove(at: place)
    bySize.remove(at: bySize.firstIndex(notBefore: run, PageRun.precedesBySize))
  }
}

extension PageRun {
  fileprivate static func precedesByPlace(_ a: PageRun, _ b: PageRun) -> Bool {
    (a.segment, a.firstPage) < (b.segment, b.firstPage)
  }

  fileprivate static func precedesBySize(_ a: PageRun, _ b: PageRun) -> Bool {
    (a.pageCount, a.segment, a.firstPage) < (b.pageCount, b.segment, b.firstPage)
  }
}

extension Array {
  /// The index of the first element that does not precede `element`, in an array sorted by `precedes`.
  fileprivate func firstIndex(notBefore element: Element, _ precedes: (Element, Element) -> Bool) -> Int {
    partitionPoint(count) { precedes(self[$0], element) }
  }
}
