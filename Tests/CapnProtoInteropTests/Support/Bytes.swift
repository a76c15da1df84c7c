extension RawSpan {
  /// A copy of the bytes.
  var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
