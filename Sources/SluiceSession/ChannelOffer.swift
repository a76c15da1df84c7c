import SluiceSystem

/// A channel that the other end asks for, with the descriptors of its half of a link, if the channel is to have one of its
/// own.
struct ChannelOffer: Sendable {
  let opening: Control.ChannelOpening
  var handles: [Handle] = []

  /// Those that a client asks for along with a session.
  ///
  /// - Parameter handles: All that came with the introduction.
  static func all(of hello: Control.Hello, _ handles: [Handle]) -> [ChannelOffer] {
    var rest = handles.dropFirst(hello.ownHandleCount)
    return hello.channels.map { opening in
      defer { rest = rest.dropFirst(opening.handleCount) }
      return ChannelOffer(opening: opening, handles: Array(rest.prefix(opening.handleCount)))
    }
  }
}

/// A channel that this end asks for.
struct OwnChannelOffer: Sendable {
  let opening: Control.ChannelOpening
  /// This end's half of a link of the channel's own.
  let link: LinkOffer?
}
