import CapnProto
import People
import Places

/// Builds a message and answers its bytes.
func write() throws -> [UInt8] {
  var message = try MessageBuilder(Building.self)
  fill(message.root)
  return try message.serialized()
}

/// Sets the fields of a building.
func fill(_ building: Building.Builder) {
  let porter = building.initPorter()
  porter.name = "Ada"
  let phones = porter.initPhones(1)
  phones[0].number = "555-0100"
  phones[0].kind = .work

  let rooms = building.initRooms(2)
  for index in rooms.indices { rooms[index].number = UInt16(100 + index) }
  let people = rooms[1].initPeople(1)
  people[0].name = "Grace"
}

/// Prints what is in a message, without copying it.
func read(_ bytes: [UInt8]) throws {
  let message = try MessageReader(Building.self, stream: bytes)
  try message.read { building in
    let porter = try building.porter
    let phones = try porter.phones
    print("\(try porter.name), \(try phones[0].number) (\(phones[0].kind))")
    let rooms = try building.rooms
    for index in rooms.indices {
      let people = try rooms[index].people
      print("room \(rooms[index].number): \(try people.map { person in try person.name })")
    }
  }
}

try read(try write())
