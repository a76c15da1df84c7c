/// Who may map a segment. Whoever maps it can read all of it, so a segment belongs to one scope.
public enum MemoryScope: Hashable, Sendable {
  /// The two ends of one session.
  case session
  /// Every session of a server.
  case serverWide
}
