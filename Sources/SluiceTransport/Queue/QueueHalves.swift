import SluiceSystem
import SystemPackage

// One direction alone: a sender here, a receiver there. Each makes its end, passes its handles, and completes itself with
// what the other one has announced and passed.

extension QueueSender {
  /// A sender before it knows its receiver: made by `prepare`, used once.
  public struct Endpoint: ~Copyable, Sendable {
    /// What to tell the receiver.
    public let announcement: QueueAnnouncement
    let status: OwnQueueStatus
    let room: Doorbell

    /// What to pass to the receiver, in this order: the page, the bell.
    public var handles: [Handle] { [status.segment.handle, room.handle] }
  }

  /// Makes this side's part of a sender.
  ///
  /// - Parameter maxBlobSize: How many bytes a blob may have, 1 to 1 GiB.
  public static func prepare(
    maxBlobSize: Int = SocketTransport.defaultMaxBlobSize
  ) throws(QueueSetupError) -> Endpoint {
    let announcement = QueueAnnouncement(maxBlobSize: maxBlobSize)
    try announcement.check()
    let status: OwnQueueStatus
    do { status = try OwnQueueStatus() } catch { throw .segment(error) }
    do {
      return Endpoint(announcement: announcement, status: status, room: try Doorbell())
    } catch {
      throw .failed(error)
    }
  }

  /// Completes a sender with what its receiver has announced and passed.
  public convenience init(
    _ endpoint: consuming Endpoint, peer announcement: QueueAnnouncement, handles: [Handle]
  ) throws(QueueSetupError) {
    try announcement.check()
    guard handles.count == 2 else { throw .wrongHandleCount(handles.count, expected: 2) }
    let queue = try MessageQueue.sendingEnd(checking: handles[0])
    let status: PeerQueueStatus
    do { status = try PeerQueueStatus(handles[1]) } catch { throw .segment(error) }
    do {
      try self.init(
        to: queue, own: endpoint.status, peer: status, room: endpoint.room,
        maxBlobSize: min(endpoint.announcement.maxBlobSize, announcement.maxBlobSize))
    } catch {
      throw .failed(error)
    }
  }
}

extension QueueReceiver {
  /// A receiver before it knows its sender: made by `prepare`, used once.
  public struct Endpoint: ~Copyable, Sendable {
    /// What to tell the sender.
    public let announcement: QueueAnnouncement
    let inbox: QueueInbox
    let status: OwnQueueStatus

    /// What to pass to the sender, in this order: the queue's sending end, the page.
    public var handles: [Handle] { [inbox.sending.handle, status.segment.handle] }
  }

  /// Makes this side's part of a receiver. The parameters are those of `QueueTransport.prepare`.
  public static func prepare(
    size: QueueSize = .default, maxBlobSize: Int = SocketTransport.defaultMaxBlobSize, journal: FilePath? = nil
  ) throws(QueueSetupError) -> Endpoint {
    let announcement = QueueAnnouncement(maxBlobSize: maxBlobSize)
    try announcement.check()
    let inbox = try QueueInbox(size, journal: journal)
    do {
      return Endpoint(announcement: announcement, inbox: inbox, status: try OwnQueueStatus())
    } catch {
      throw .segment(error)
    }
  }

  /// Completes a receiver with what its sender has announced and passed.
  public convenience init(
    _ endpoint: consuming Endpoint, peer announcement: QueueAnnouncement, handles: [Handle]
  ) throws(QueueSetupError) {
    try announcement.check()
    guard handles.count == 2 else { throw .wrongHandleCount(handles.count, expected: 2) }
    let status: PeerQueueStatus
    do { status = try PeerQueueStatus(handles[0]) } catch { throw .segment(error) }
    do {
      try self.init(
        from: endpoint.inbox, own: endpoint.status, peer: status,
        peerRoom: RemoteDoorbell(handles[1]),
        maxBlobSize: min(endpoint.announcement.maxBlobSize, announcement.maxBlobSize))
    } catch {
      throw .failed(error)
    }
  }
}
