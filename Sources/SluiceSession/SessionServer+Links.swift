import SluiceSystem

// What carries a session, at the server's end.
extension SessionServer {
  /// A ring or queues, if both ends choose them; else a socket.
  ///
  /// - Parameters:
  ///   - half: The client's, with its descriptors; nil if it has offered none.
  func makeLink(
    _ names: LinkNames, _ peer: PeerIdentity, _ half: Control.LinkHalf?, _ handles: [Handle]
  ) throws(SessionError) -> MadeLink {
    if let half, half.kind == options.link {
      return try LinkOffer.join(half, handles, names, options, peer: peer)
    }
    let offer = try LinkOffer(.socket, names, options)
    var made = try offer.complete(nil, [], peer: peer)
    made.answer = offer.half
    made.handles = offer.handles
    return made
  }
}
