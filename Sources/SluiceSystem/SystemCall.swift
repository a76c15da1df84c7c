import SystemPackage

/// Makes a call of `CSluice`, again as long as a signal interrupts it: its result, or the negated errno.
@inline(__always)
func retryingInterrupts<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result != -Result(truncatingIfNeeded: Errno.interrupted.rawValue) { return result }
  }
}

/// Makes a call of `CSluice`, again as long as a signal interrupts it, and throws what else goes wrong.
@inline(__always)
@discardableResult
func systemCall<Result: FixedWidthInteger & SignedInteger>(
  _ operation: String, _ detail: @autoclosure () -> String? = nil, _ call: () -> Result
) throws(SystemError) -> Result {
  let result = retryingInterrupts(call)
  if result < 0 { throw SystemError(operation: operation, negated: result, detail: detail()) }
  return result
}

extension SystemError {
  /// Describes a failed call of `CSluice`, which returned the negated errno.
  init(operation: String, negated result: some FixedWidthInteger, detail: String? = nil) {
    self.init(operation: operation, errno: Errno(rawValue: CInt(truncatingIfNeeded: 0 - Int(result))), detail: detail)
  }

  /// Runs a function of swift-system, which throws nothing but `Errno`.
  static func naming<Value>(
    _ operation: String, _ detail: @autoclosure () -> String? = nil, _ body: () throws -> Value
  ) throws(SystemError) -> Value {
    do {
      return try body()
    } catch {
      throw SystemError(operation: operation, errno: error as? Errno ?? .ioError, detail: detail())
    }
  }
}
