/// Deterministic, incompressible content: the same seed gives the same bytes on every machine. The numbers are those of
/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), as little-endian words.
struct PseudoRandom {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Fills the words.
  mutating func fill(_ words: inout MutableSpan<UInt64>) {
    for index in words.indices { words[index] = next().littleEndian }
  }
}
