import CapnProto
import Testing

/// Descriptions of interfaces: what a service layer needs in order to dispatch calls.
@Suite struct InterfaceTests {
  @Test("an interface describes its methods by ordinal")
  func methods() {
    let store = Store.interface
    #expect(store.id == Store.typeID)
    #expect(store.name == "Schemas/service.capnp:Store")
    #expect(store.methods.map { $0.name } == ["write", "last", "done"])
    #expect(store.methods.map { $0.ordinal } == [0, 1, 2])
    #expect(store.methods.map { $0.isStreaming } == [true, false, false])
    #expect(store.methods.allSatisfy { $0.interfaceID == Store.typeID })
    #expect(Service.Call.name == "call")
  }

  @Test("parameters and results are structs, declared or implied")
  func types() {
    #expect(Container<DataSchema>.Get.Params.self == Container<DataSchema>.Key.self)
    #expect(Container<DataSchema>.Put.Results.self == Container<DataSchema>.Receipt<DataSchema>.self)
    #expect(Odd.ParamsMethod.Params.self == Odd.Params.self)
    #expect(Odd.ParamsMethod.Results.self == Odd.Results.self)
    #expect(Store.Write.Results.self == StreamResult.self)
    #expect(Store.Done.Params.size.words == 0)
    #expect(Service.Call.Params.typeName == "Schemas/service.capnp:Service.call$Params")
    #expect(Odd.interface_ == "constant")
  }

  @Test("inherited methods are found by the id of the interface that declares them")
  func inheritance() throws {
    let store = Store.interface
    #expect(store.lineage.map(\.id) == [Store.typeID, Service.typeID, Container<DataSchema>.typeID, Named.typeID])
    #expect(
      store.allMethods.map { $0.name } == ["write", "last", "done", "call", "get", "put", "find", "name"])
    let name = try #require(store.method(MethodID(interfaceID: Named.typeID, ordinal: 0)))
    #expect(ObjectIdentifier(name) == ObjectIdentifier(Named.Name.self))
    let put = try #require(store.method(Container<DataSchema>.Put.id))
    #expect(ObjectIdentifier(put) == ObjectIdentifier(Container<DataSchema>.Put.self))
    #expect(store.method(MethodID(interfaceID: Odd.typeID, ordinal: 0)) == nil)
    #expect(store.method(MethodID(interfaceID: Store.typeID, ordinal: 3)) == nil)
  }

  @Test("a service layer dispatches calls with typed parameters, to inherited methods too")
  func dispatch() throws {
    var server = Server(Store.interface)
    server.on(Service.Call.self) { params, results in
      results.text = "request \(try params.request.id)"
    }
    server.on(Named.Name.self) { _, results in results.name = "the store" }
    server.on(Container<DataSchema>.Put.self) { params, results in results.setKept(try params.item) }

    var call = try MessageBuilder(Service.Call.Params.self)
    call.root.initRequest().id = 7
    let answer = try MessageReader(
      Service.Call.Results.self, stream: try server.answer(Service.Call.id, call.serialized()))
    #expect(try answer.root.text == "request 7")

    let empty = try MessageBuilder(Named.Name.Params.self)
    let name = try MessageReader(
      Named.Name.Results.self, stream: try server.answer(Named.Name.id, empty.serialized()))
    #expect(try name.root.name == "the store")

    var put = try MessageBuilder(Container<DataSchema>.Put.Params.self)
    let item: [UInt8] = [1, 2, 3]
    put.root.setItem(item.span.bytes)
    let receipt = try MessageReader(
      Container<DataSchema>.Put.Results.self,
      stream: try server.answer(Container<DataSchema>.Put.id, put.serialized()))
    let kept = try receipt.root.kept
    #expect(kept.byteCount == 3)

    #expect(throws: Server.Unimplemented.self) { try server.answer(Store.Last.id, []) }
    #expect(throws: Server.Unimplemented.self) {
      try server.answer(MethodID(interfaceID: Odd.typeID, ordinal: 0), [])
    }
  }

  @Test("capabilities stay as they are in a message")
  func capabilities() throws {
    var builder = try MessageBuilder(WithCapability.self)
    builder.root.service.setCapability(index: 5)
    do {
      let services = builder.root.initServices(2)
      services[1].setCapability(index: 6)
    }
    let message = try MessageReader(WithCapability.self, stream: try builder.serialized())
    try message.read { root in
      #expect(try root.service.capabilityIndex() == 5)
      let services = try root.services
      #expect(try services[0].capabilityIndex() == nil)
      #expect(try services[1].capabilityIndex() == 6)
    }
  }
}

/// The core of a service layer: handlers by method, for the methods of one interface.
private struct Server {
  struct Unimplemented: Error {}

  private var handlers: [MethodID: ([UInt8]) throws -> [UInt8]] = [:]
  private let known: Set<MethodID>

  init(_ interface: InterfaceDescription) {
    known = Set(interface.allMethods.map { $0.id })
  }

  mutating func on<Method: MethodSchema>(
    _: Method.Type, _ body: @escaping (Method.Params.Reader, Method.Results.Builder) throws -> Void
  ) {
    handlers[Method.id] = { bytes in
      let call = try MessageReader(Method.Params.self, stream: bytes)
      var results = try MessageBuilder(Method.Results.self)
      try body(call.root, results.root)
      return try results.serialized()
    }
  }

  func answer(_ method: MethodID, _ params: [UInt8]) throws -> [UInt8] {
    guard known.contains(method), let handler = handlers[method] else { throw Unimplemented() }
    return try handler(params)
  }
}
