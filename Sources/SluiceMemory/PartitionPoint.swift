/// How many of `count` places `precedes` is true of, where it is true of the first ones only: a binary search.
///
/// By places, not elements: to hand an element on could count references.
@inline(__always)
func partitionPoint(_ count: Int, _ precedes: (Int) -> Bool) -> Int {
  var low = 0
  var high = count
  while low < high {
    let middle = low + (high - low) / 2
    if precedes(middle) { low = middle + 1 } else { high = middle }
  }
  return low
}
