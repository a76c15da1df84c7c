import CapnProto
import CapnProtoSchema
import Testing

/// What schemas say by annotation about the Swift that is generated for them.
@Suite struct OptionsTests {
  @Test("types, fields, members, enumerants, constants and methods can have other names in Swift")
  func names() throws {
    var builder = try MessageBuilder(Aliased.self)
    builder.root.fresh = "text"
    builder.root.spot.x = 5
    builder.root.two = 6
    builder.root.initInner().initAgain().setOne()
    let message = try MessageReader(Aliased.self, stream: try builder.serialized())
    try message.read { root in
      #expect(try root.fresh == "text")
      #expect(root.spot.x == 5)
      guard case .two(6) = try root.which else {
        Issue.record("the union is not what it was set to")
        return
      }
    }
    #expect(Aliased.typeName == "Schemas/options.capnp:Renamed")
    #expect(Aliased.bound == 9)
    #expect(Aliased.items.array == [7])
    #expect(Fruit.red.rawValue == 0)
    #expect(Shop.Purchase.name == "buy")
  }

  @Test("errors name fields as the schema does")
  func errors() throws {
    var builder = try MessageBuilder(Aliased.self)
    builder.root.setOne()
    let message = try MessageReader(Aliased.self, stream: try builder.serialized())
    #expect {
      try message.read { root in _ = try root.two }
    } throws: { error in
      (error as? CapnProtoError)?.subject == .field("Renamed.second")
    }
  }

  @Test("declared annotations are types, and lead to the types of their values")
  func annotations() {
    #expect(OptionsFile.NoteAnnotation.typeID == 0xd9e1_4f7a_2b6c_8035)
    #expect(OptionsFile.StyleAnnotation.embeddedSchema.dependencies.map(\.id) == [Style.typeID])
    let used = Set(Aliased.embeddedSchema.dependencies.map(\.id))
    #expect(
      used.isSuperset(of: [
        OptionsFile.NoteAnnotation.typeID, OptionsFile.StyleAnnotation.typeID, OptionsFile.FlagAnnotation.typeID,
      ]))
  }
}
