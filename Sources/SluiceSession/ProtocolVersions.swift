import SluiceTransport

extension ProtocolVersions {
  /// What this release speaks of the session protocol.
  public static let current = ProtocolVersions(lowest: 1, highest: 1)
}
