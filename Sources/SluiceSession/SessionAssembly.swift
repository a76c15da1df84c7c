import SluiceChannel
import SluiceMemory
import SluiceSystem
import SluiceTransport

/// Puts a session together from what the handshake brought, the same way at both ends.
struct SessionAssembly: Sendable {
  let server: String
  let session: String
  let role: SessionRole
  let options: SessionOptions
  /// Where this end returns leases.
  let returnTable: ReturnTable

  init(server: String, session: String, role: SessionRole, options: SessionOptions) throws(SessionError) {
    self.server = server
    self.session = session
    self.role = role
    self.options = options
    do {
      returnTable = try ReturnTable(
        name: Self.segmentName(server, session, "\(role.rawValue)-returns"), capacity: options.leaseCapacity)
    } catch {
      throw .protocolViolation("no return table: \(error)")
    }
  }

  /// `sluice.<server>.<session>.<role>`, before the number.
  static func segmentName(_ server: String, _ session: String, _ role: String) -> String {
    "sluice.\(server).\(session).\(role)"
  }

  /// What the other end is told of the return table, whose descriptor goes along.
  var returnTableSize: Control.TableSize {
    Control.TableSize(
      capacity: UInt32(returnTable.layout.capacity), byteCount: UInt64(returnTable.segment.byteCount))
  }

  /// How the segments of the session's link are called.
  var linkNames: LinkNames { LinkNames(server: server, session: session, role: role) }

  /// The session; it is not started.
  func assemble(
    peerApp: String, peerMetadata: Metadata, peer: PeerIdentity, control: ControlConnection, link: MadeLink,
    laneWindow: UInt32, peerReturns: Control.TableSize, peerReturnsHandle: Handle,
    initialChannels: [ChannelOffer], serverWideArena: Arena?, namedSegments access: SegmentAccess?,
    readWriteArenas: Bool,
    tidyAfterPeer: (@Sendable () -> Void)?, whenEnded: (@Sendable () -> Void)?
  ) throws(SessionError) -> SessionCore {
    let returns = try viewReturns(peerReturns, peerReturnsHandle)
    let lender: Lender
    do {
      lender = try Lender(returns: returns, bell: returnTable)
    } catch {
      throw .protocolViolation("a return table that cannot be used: \(error)")
    }
    let name = Self.segmentName(server, session, role.rawValue)
    let place = try Self.place(access, prefix: name)
    let arena: Arena
    do {
      arena = try Arena(
        name: name, scope: .session, byteLimit: options.arenaByteLimit ?? Arena.defaultByteLimit, in: place,
        options: options.segmentOptions)
    } catch {
      throw .arena(error)
    }
    let carrier = Carrier(
      link: Link(
        over: options.tapped(link.transport, as: .link), reactor: options.reactor, window: laneWindow,
        stallPolicy: options.stallPolicy),
      reactor: options.reactor, lender: lender,
      borrower: Borrower(returnTable: returnTable, owner: returns), arena: arena, serverWideArena: serverWideArena,
      inlineLimit: max(0, options.inlineByteCount))
    return SessionCore(
      SessionCore.Parts(
        server: server, name: session, role: role, peerApp: peerApp, peerMetadata: peerMetadata, peer: peer,
        control: control, carrier: carrier, linkSegments: link.segments, returnTable: returnTable,
        laneWindow: laneWindow, initialChannels: initialChannels, options: options, namedSegments: access,
        readWriteArenas: readWriteArenas,
        tidyAfterPeer: tidyAfterPeer, whenEnded: whenEnded))
  }

  /// Where segments are to stand whose names begin with `prefix`.
  static func place(_ access: SegmentAccess?, prefix: String) throws(SessionError) -> SegmentPlace {
    guard let access else { return .sealedMemory }
    do {
      return .named(try NamedSegments(prefix: prefix, access: access))
    } catch {
      throw .segment(error)
    }
  }

  private func viewReturns(_ size: Control.TableSize, _ handle: Handle) throws(SessionError) -> ReturnTableView {
    do {
      guard let byteCount = Int(exactly: size.byteCount) else {
        throw SessionError.protocolViolation("a return table of \(size.byteCount) bytes")
      }
      let segment = try BorrowedSegment(
        handle, name: Self.segmentName(server, session, "\(role.other.rawValue)-returns"), byteCount: byteCount)
      return try ReturnTableView(segment: segment, capacity: Int(size.capacity))
    } catch let error as SessionError {
      throw error
    } catch {
      throw .protocolViolation("a return table that cannot be used: \(error)")
    }
  }
}
