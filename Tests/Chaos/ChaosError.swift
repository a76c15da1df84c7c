/// Why a role or the driver gave up.
struct ChaosError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
