import SluiceChannel
import SystemPackage

/// A client that a server's ``SessionServer/AdmissionHook`` is to judge. The server app's own policy has let it pass.
public struct Applicant: Sendable {
  /// The client app, as the client names it.
  public let app: String
  /// Who the client is, on the kernel's word.
  public let peer: PeerIdentity
  /// What the client says about itself.
  public let metadata: Metadata
}

/// What a server's hook says to a client.
public enum Admission: Sendable, Hashable {
  /// It may open its session.
  case accept
  /// It may not: why, for the client.
  case refuse(String)
}
