/// Writes structs as JSON and reads them from it, by libcapnp's conventions: 64-bit integers are strings, `Data` is an array
/// of numbers, enums are names, `Void` is null, a union is the one member that is set, and NaN and infinities are strings.
/// The annotations of `json.capnp` (`$Json.name`, `flatten`, `discriminator`, `base64`, `hex`) are respected.
///
///     let codec = JSONCodec(JSONOptions(isPretty: true))
///     let text = try codec.encode(person)
///     try codec.decode(text, into: copy)
///
/// A codec keeps what it found out about the schemas that it met; it can be shared by threads. `AnyPointer` and capabilities
/// have no form in JSON: those that are null are left out, others are errors.
public struct JSONCodec: Sendable {
  /// How to read and write.
  public let options: JSONOptions
  let plans = JSONPlans()

  /// A codec with the given options.
  public init(_ options: JSONOptions = JSONOptions()) { self.options = options }

  /// The struct as a JSON object.
  ///
  /// - Throws: ``ReflectionError``: what is wrong with the message; `notExpressible`; `invalidAnnotation`;
  ///   `nestingLimitExceeded`; or `sizeLimitExceeded`.
  public func encode(_ structure: borrowing DynamicStruct.Reader) throws(ReflectionError) -> String {
    var encoder = JSONEncoding(options, plans)
    let value = try encoder.object(structure, level: 1)
    let text = JSONPrinter(isPretty: options.isPretty).print(value)
    guard text.count <= options.byteLimit else { throw ReflectionError(.sizeLimitExceeded(limit: options.byteLimit)) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Sets the fields that the JSON object `text` has members for. Other fields stay as they are. A member that is null leaves
  /// a pointer field as it is.
  ///
  /// - Throws: ``ParseError``, with the place in the text. The struct then may be partly filled.
  public func decode(_ text: String, into structure: borrowing DynamicStruct.Builder) throws(ParseError) {
    try decode(Array(text.utf8), into: structure)
  }

  /// Sets the fields that the JSON object `text`, in UTF-8, has members for, as ``decode(_:into:)-(String,_)`` does.
  ///
  /// - Throws: ``ParseError``, with the place in the text. The struct then may be partly filled.
  public func decode(_ text: [UInt8], into structure: borrowing DynamicStruct.Builder) throws(ParseError) {
    guard text.count <= options.byteLimit else {
      throw ParseError(.sizeLimitExceeded(limit: options.byteLimit), at: 0, in: [])
    }
    do throws(ParseFailure) {
      var parser = JSONParser(text, nesting: options.nesting)
      try JSONDecoding(options, plans).fill(structure, from: try parser.parse())
    } catch {
      throw error.located(in: text)
    }
  }
}
