import CapnProtoReflection
import Sluice
import SluiceSchemas

/// What passes between the two ends of a session: each kind of control message that the schema has, each kind of envelope,
/// and what the link itself says.
enum Passage: Hashable, CustomStringConvertible {
  case control(String)
  case envelope(Envelope.Kind)
  case lane(LaneHeader.Kind)

  /// All that there are, by the schema and by the layouts.
  static func all() throws -> [Passage] {
    guard let schema = try SchemaRegistry(ControlMessage.self).structure(for: ControlMessage.self) else {
      throw MatrixError("the control protocol has no schema")
    }
    return schema.fields.map { .control($0.name) } + Envelope.Kind.allCases.map { .envelope($0) }
      // The others carry envelopes.
      + LaneHeader.Kind.allCases.filter { $0 != .charged && $0 != .free }.map { .lane($0) }
  }

  /// Who sends it: both, but for the handshake.
  func isSent(by role: SessionRole) -> Bool {
    switch self {
    case .control("hello"): role == .client
    case .control("welcome"), .control("refusal"): role == .server
    default: true
    }
  }

  var description: String {
    switch self {
    case .control(let name): name
    case .envelope(let kind): "\(kind)"
    case .lane(let kind): "lane-\(kind)"
    }
  }
}

/// When, as something passes one end.
enum Moment: String, CaseIterable {
  /// It is about to be handed to the transport.
  case sending
  /// The transport has it.
  case sent
  /// It has been taken from the transport.
  case receiving
  /// It has been dealt with.
  case received

  var isOfSender: Bool { self == .sending || self == .sent }
}

/// A step of the protocol, as one end takes it.
struct Step: Hashable, CustomStringConvertible {
  let passage: Passage
  let moment: Moment

  /// Each step that an end of that role can take.
  static func all(of role: SessionRole) throws -> [Step] {
    let other: SessionRole = role == .server ? .client : .server
    return try Passage.all().flatMap { passage in
      Moment.allCases.filter { passage.isSent(by: $0.isOfSender ? role : other) }
        .map { Step(passage: passage, moment: $0) }
    }
  }

  init(passage: Passage, moment: Moment) {
    self.passage = passage
    self.moment = moment
  }

  /// As ``description`` says it.
  init(_ text: String, of role: SessionRole) throws {
    guard let step = try Step.all(of: role).first(where: { $0.description == text }) else {
      throw MatrixError("no such step: \(text)")
    }
    self = step
  }

  /// How often the end passes by before the step counts: the first introduction is one that is refused.
  var skipCount: Int { passage == .control("hello") ? 1 : 0 }

  var description: String { "\(passage).\(moment.rawValue)" }
}

struct MatrixError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
