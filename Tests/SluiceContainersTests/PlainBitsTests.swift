import SluiceContainers
import Testing

/// What a plain type promises is checked, as far as the program knows its types.
@Suite struct PlainBitsTests {
  struct Padded: PlainBits { var wide: Int64; var narrow: Int8 }
  struct Inner: PlainBits { var narrow: Int8; var wide: Int32 }
  struct WithBool: PlainBits { var flag: Bool; var rest: UInt8 }
  struct WithEnum: PlainBits { var kind: Kind; var rest: UInt8 }
  enum Kind: UInt8 { case one = 1, two }
  struct Sound: PlainBits, Equatable {
    var id: UInt32
    var kind: SharedEnum<Kind>
    var flag: SharedBool
    var small: UInt16
    var rest: Quote
    static func == (left: Sound, right: Sound) -> Bool { left.id == right.id && left.rest == right.rest }
  }
  struct Empty: PlainBits {}

  @Test func `types that break the promise are refused, and say which property`() throws {
    for (structure, word) in [
      (Self.structure(of: Padded.self), "padding"), (Self.structure(of: Inner.self), "padding"),
      (Self.structure(of: WithBool.self), "“flag”"), (Self.structure(of: WithEnum.self), "“kind”"),
      (Self.structure(of: Empty.self), "no size"),
    ] {
      switch structure {
      case .success(let text): Issue.record("accepted as \(text)")
      case .failure(let error): #expect("\(error)".contains(word), "\(error)")
      }
    }
    // Neither written nor read.
    #expect(throws: SharedError.self) { _ = try image(of: [WithBool(flag: true, rest: 0)]) }
    let bytes = try image(of: [UInt16(2)])
    #expect(throws: SharedError.self) { _ = try openShared(bytes.span.bytes, as: SharedArray<WithBool>.self) }
  }

  @Test func `structures name the layout, not the program`() throws {
    #expect(try Sound.structure() == "{u32,enum<u8>,bool,u16,{f64,i64}}")
    #expect(try SIMD4<Float>.structure() == "f32x4")
    #expect(try InlineArray<3, UInt8>.structure() == "[3 x u8]")
    #expect(try SharedDictionary<SharedString, SharedArray<Quote>>.structure() == "dictionary<string,array<{f64,i64}>>")
  }

  @Test func `every byte is a truth value, and a raw value without a case is none`() throws {
    var bytes = try image(of: [Sound(id: 1, kind: .init(.two), flag: true, small: 3, rest: .init(price: 1, volume: 2))])
    let before = try Self.flagAndKind(bytes)
    #expect(before.flag && before.kind == .two)
    let place = try #require(
      bytes.indices.dropLast(5).first { bytes[$0] == 2 && bytes[$0 + 1] == 1 && bytes[$0 + 2] == 3 })
    bytes[place] = 77
    bytes[place + 1] = 200
    let after = try Self.flagAndKind(bytes)
    #expect(after.flag && after.kind == nil)
  }

  private static func flagAndKind(_ bytes: [UInt8]) throws -> (flag: Bool, kind: Kind?) {
    let array = try openShared(bytes.span.bytes, as: SharedArray<Sound>.self)
    let sound = array[0]
    return (sound.flag.value, sound.kind.value)
  }

  private static func structure<Value: PlainBits>(of type: Value.Type) -> Result<String, SharedError> {
    Result { () throws(SharedError) in try Value.structure() }
  }
}
