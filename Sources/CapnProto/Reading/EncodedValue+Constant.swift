/// The values of constants: generated code checked by the schema compiler, read in place for as long as the program runs.
extension EncodedValue {
  /// The struct that this is. Traps if the words do not encode one: then it was not the generator that wrote them.
  public var structure: RawStructReader {
    @_lifetime(immortal) get {
      do {
        let structure = unsafe try root.structure() ?? StructView(emptyIn: root.segment)
        return RawStructReader(unowned: structure)
      } catch {
        preconditionFailure("A constant is not the struct that its schema says: \(error)")
      }
    }
  }

  /// The list that this is. Traps if the words do not encode one: then it was not the generator that wrote them.
  @_lifetime(immortal)
  public func list<Element: ListElement & ~Escapable>(of type: Element.Type = Element.self) -> ListReader<Element> {
    do {
      let expected = Element.layout.elementSize
      let list = unsafe try root.list(of: expected) ?? ListView(emptyIn: root.segment, elementSize: expected)
      return ListReader(unowned: list)
    } catch {
      preconditionFailure("A constant is not the list that its schema says: \(error)")
    }
  }
}
