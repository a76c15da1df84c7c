/// Why a message could not be read or built: what was wrong, where, and the limit that was met.
///
/// Reading throws it; building records it (see ``MessageBuilder/failure``). Malformed bytes, whoever sent them, lead to
/// this error and never to a trap.
public struct CapnProtoError: Error, Sendable, Hashable {
  /// What was wrong.
  public enum Kind: Sendable, Hashable {
    /// An object of `wordCount` words begins or ends outside its segment.
    case outOfBounds(wordCount: Int)
    /// A pointer of another kind stands where `expected` was to be read.
    case wrongPointerKind(expected: PointerKind, found: PointerKind)
    /// A list's elements are too small for the type that was asked for, or cannot be read as it.
    case incompatibleElements(expected: ElementSize, found: ElementSize)
    /// A far pointer names a segment that the message does not have.
    case unknownSegment(UInt32, segmentCount: Int)
    /// The landing pad of a double-far pointer is not a far pointer followed by a tag.
    case invalidLandingPad
    /// The tag word of a struct list is not a struct tag.
    case invalidListTag
    /// A struct list's tag counts `elementCount` elements, which need more than the list's `wordCount` words.
    case listOverrun(elementCount: Int, wordCount: Int)
    /// A text does not end with a NUL byte.
    case textNotTerminated
    /// A text is not valid UTF-8.
    case textNotUTF8
    /// More was read than ``ReadLimits/traversalWords`` allows: a cyclic or amplifying message, or one read many times.
    case traversalLimitExceeded(limitWords: Int)
    /// Objects are nested deeper than ``ReadLimits/nesting`` allows.
    case nestingLimitExceeded(limit: Int)
    /// The member of the union that was asked for is not the one that is set.
    case wrongUnionMember(expected: UInt16, found: UInt16)
    /// An object in the message is smaller than its type requires for writing.
    case structTooSmall(found: StructSize, required: StructSize)
    /// A list, text or blob has more elements (or, for struct lists, words) than a pointer can express, or fewer than 0.
    case invalidListCount(Int, limit: Int)
    /// The segment allocator gave no memory.
    case allocationFailed(SegmentAllocationError)
    /// A message without any segment.
    case noSegments
    /// More segments than ``ReadLimits/segmentCount`` allows.
    case tooManySegments(count: Int, limit: Int)
    /// More words than ``ReadLimits/totalWords`` allows.
    case messageTooLarge(words: Int, limitWords: Int)
    /// A segment does not start at an address divisible by 8, or its size is no multiple of 8 bytes.
    case misalignedSegment(index: Int)
    /// The input ends within a message: `needed` bytes were to follow, `available` did.
    case truncated(needed: Int, available: Int)
    /// Bytes follow the message where it was to be alone.
    case trailingBytes(count: Int)
    /// A message with a capability, whose meaning depends on more than the message, has no canonical form.
    case capabilityInCanonicalForm
  }

  /// A place in a message.
  public struct Location: Sendable, Hashable {
    /// The segment's index.
    public let segment: Int
    /// The word within the segment, counted from its start.
    public let wordOffset: Int

    /// A place in segment `segment`, `wordOffset` words from its start.
    public init(segment: Int, wordOffset: Int) {
      self.segment = segment
      self.wordOffset = wordOffset
    }
  }

  /// What was being read or written, in the words of the schema.
  public enum Subject: Sendable, Hashable {
    /// A field, with its type, as in `Cache.fileName`.
    case field(String)
    /// The root of a message, with the type that it was read as, as in `cache.capnp:Cache`.
    case root(String)
    /// The element of a list, by its index.
    case element(Int)
  }

  /// What was wrong.
  public let kind: Kind
  /// The pointer that was followed, or the object that was looked at, where there is one.
  public let location: Location?
  /// What was being read or written, where generated code said it: the innermost field, root or list element.
  public let subject: Subject?

  /// An error of kind `kind` at `location`, met while `subject` was read or written.
  public init(_ kind: Kind, at location: Location? = nil, subject: Subject? = nil) {
    self.kind = kind
    self.location = location
    self.subject = subject
  }
}

extension CapnProtoError: CustomStringConvertible {
  /// What was read or written, what was wrong with it, where, and the limit, in one line.
  public var description: String {
    let place = location.map { " (segment \($0.segment), word \($0.wordOffset))" } ?? ""
    let prefix = subject.map { "\($0): " } ?? ""
    return "\(prefix)\(kind)\(place)"
  }
}

extension CapnProtoError.Subject: CustomStringConvertible {
  /// The field by its name, or what else it was.
  public var description: String {
    switch self {
    case .field(let name): name
    case .root(let type): "root of type \(type)"
    case .element(let index): "list element \(index)"
    }
  }
}

extension CapnProtoError.Kind: CustomStringConvertible {
  /// What was wrong, in one line.
  public var description: String {
    switch self {
    case .outOfBounds(let wordCount): "an object of \(wordCount) words lies outside its segment"
    case .wrongPointerKind(let expected, let found): "expected a \(expected) pointer, found a \(found) pointer"
    case .incompatibleElements(let expected, let found): "a list of \(found) elements cannot be read as \(expected)"
    case .unknownSegment(let id, let count): "a far pointer names segment \(id) of a message with \(count) segments"
    case .invalidLandingPad: "the landing pad of a double-far pointer is malformed"
    case .invalidListTag: "the tag of a struct list is not a struct tag"
    case .listOverrun(let elements, let words): "a struct list of \(elements) elements does not fit its \(words) words"
    case .textNotTerminated: "a text is not terminated by NUL"
    case .textNotUTF8: "a text is not valid UTF-8"
    case .traversalLimitExceeded(let limit): "the traversal limit of \(limit) words was exceeded"
    case .nestingLimitExceeded(let limit): "the nesting limit of \(limit) levels was exceeded"
    case .wrongUnionMember(let expected, let found): "union member \(expected) was read while member \(found) is set"
    case .structTooSmall(let found, let required): "a struct of \(found) cannot be written as one of \(required)"
    case .invalidListCount(let count, let limit): "a list of \(count) is outside of the format's limits, 0 to \(limit)"
    case .allocationFailed(let error): "no memory for a segment: \(error)"
    case .noSegments: "the message has no segments"
    case .tooManySegments(let count, let limit): "\(count) segments exceed the limit of \(limit)"
    case .messageTooLarge(let words, let limit): "a message of \(words) words exceeds the limit of \(limit) words"
    case .misalignedSegment(let index): "segment \(index) is not made of aligned 8-byte words"
    case .truncated(let needed, let available): "the input ends within a message: \(available) of \(needed) bytes"
    case .trailingBytes(let count): "\(count) bytes follow the message"
    case .capabilityInCanonicalForm: "a message with a capability has no canonical form"
    }
  }
}
