/// What an accessor of generated code reads or writes, as in `Cache.fileName`; empty where nobody said it. One word, so that
/// handing it down to where something may fail costs next to nothing.
@usableFromInline @safe
struct FieldName {
  /// UTF-8, ended by NUL; a literal of the program, which is never freed.
  @usableFromInline let start: UnsafePointer<UInt8>

  @inlinable @inline(__always)
  init(_ literal: StaticString) { unsafe start = literal.utf8Start }

  /// No field: an object that is not one, or code that names none.
  @inlinable @inline(__always)
  static var none: FieldName { FieldName("") }

  var subject: CapnProtoError.Subject? {
    // Sound: the literal ends with NUL.
    let name = unsafe String(cString: start)
    return name.isEmpty ? nil : .field(name)
  }
}

/// Naming errors happens where they are thrown on, out of the way of what succeeds.
extension CapnProtoError {
  /// The error, met at the field `name`, unless it names what it was met at.
  @usableFromInline @inline(never)
  func named(_ name: FieldName) -> CapnProtoError { named(name.subject) }

  /// The error, met at the root of a message that is read as a struct of type `typeName`.
  @usableFromInline @inline(never)
  func named(rootOfType typeName: String) -> CapnProtoError { named(.root(typeName)) }

  /// The error, met at the element `index` of a list.
  @usableFromInline @inline(never)
  func named(element index: Int) -> CapnProtoError { named(.element(index)) }

  private func named(_ subject: Subject?) -> CapnProtoError {
    self.subject == nil ? CapnProtoError(kind, at: location, subject: subject) : self
  }
}
