import SluiceChannel
import SluiceSystem
import SluiceTransport

// What carries a session, at the server's end.
extension SessionServer {
  /// A link, and what the client is told of it.
  struct MadeLink {
    let transport: any Transport
    var segments: [SegmentInfo] = []
    var ring: Control.RingSize?
    let handles: [Handle]
  }

  /// A ring, if both ends choose one; else a socket.
  func makeLink(
    _ assembly: SessionAssembly, _ peer: PeerIdentity, _ ring: Control.RingSize?, _ ringHandles: [Handle]
  ) throws(SessionError) -> MadeLink {
    if let ring, options.link == .ring {
      let offer = try assembly.makeRingOffer()
      let made = try assembly.complete(offer, ring, ringHandles, peer: peer)
      return MadeLink(transport: made.transport, segments: made.segments, ring: offer.size, handles: offer.handles)
    }
    let sockets: (ours: Handle, theirs: Handle)
    do {
      sockets = try UnixSocket.pair()
    } catch {
      throw .system(error)
    }
    do {
      let socket = try SocketTransport(
        socket: sockets.ours, maxBlobSize: Envelope.largestFrameByteCount, options: options.socketOptions,
        reactor: options.reactor)
      return MadeLink(transport: socket, handles: [sockets.theirs])
    } catch {
      throw .transport(error)
    }
  }
}
