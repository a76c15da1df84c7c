import Glibc
import CapnProto
import LoadSchema

/// The same sequence of numbers as in C++.
struct Random {
  private var state: UInt32

  init(seed: UInt32) { state = seed | 1 }

  @inline(__always)
  mutating func below(_ limit: UInt32) -> UInt32 {
    state ^= state << 13
    state ^= state >> 17
    state ^= state << 5
    return state % limit
  }
}

/// What is built, and what is made of it when it is read.
protocol Load {
  associatedtype Root: StructSchema
  static func build(_ root: Root.Builder, _ random: inout Random)
  static func read(_ root: Root.Reader) throws(CapnProtoError) -> UInt64
}

/// Cars on a parking lot, priced by what they have.
enum Cars: Load {
  typealias Root = ParkingLot

  private static let makers = ["Alder", "Birch & Sons", "Cedar", "Doverwood Motors", "Elm"]
  private static let models = ["Sprint", "Family Wagon", "Nine", "Longhaul 40", "Bee"]

  static func build(_ lot: ParkingLot.Builder, _ random: inout Random) {
    let cars = lot.initCars(Int(100 + random.below(100)))
    for index in cars.indices {
      let car = cars[index]
      car.maker = makers[Int(random.below(5))]
      car.model = models[Int(random.below(5))]
      car.color = Color(rawValue: UInt16(random.below(6)))
      car.seats = UInt8(2 + random.below(6))
      car.doors = UInt8(2 + random.below(3))
      let wheels = car.initWheels(4)
      for index in wheels.indices {
        let wheel = wheels[index]
        wheel.diameter = UInt16(25 + random.below(15))
        wheel.pressure = Float(30 + random.below(20))
        wheel.isStuddless = random.below(2) == 0
      }
      car.length = UInt16(170 + random.below(150))
      car.width = UInt16(48 + random.below(36))
      car.height = UInt16(54 + random.below(48))
      car.weight = 1200 + random.below(2000)
      let engine = car.initEngine()
      engine.horsepower = UInt16(100 + random.below(300))
      engine.cylinders = UInt8(4 + random.below(8))
      engine.cubicCentimeters = 800 + random.below(5000)
      engine.isElectric = random.below(2) == 0
      engine.isTurbo = random.below(2) == 0
      car.tankLitres = Float(30 + random.below(60))
      car.fuelLitres = Float(random.below(30))
      car.hasPowerWindows = random.below(2) == 0
      car.hasCruiseControl = random.below(2) == 0
      car.hasNavigation = random.below(2) == 0
      car.cupHolders = UInt8(random.below(12))
    }
  }

  private static func price(_ car: Car.Reader) throws(CapnProtoError) -> UInt64 {
    var price = UInt64(car.seats) * 200 + UInt64(car.doors) * 350
    let wheels = try car.wheels
    for index in wheels.indices {
      let wheel = wheels[index]
      price += UInt64(wheel.diameter) * UInt64(wheel.diameter)
      price += wheel.isStuddless ? 100 : 0
    }
    price += UInt64(car.length) * UInt64(car.width) * UInt64(car.height) / 50
    let engine = try car.engine
    price += UInt64(engine.horsepower) * 40
    price += engine.isElectric ? 15000 : UInt64(engine.cubicCentimeters)
    price += engine.isTurbo ? 2000 : 0
    price += car.hasPowerWindows ? 500 : 0
    price += car.hasCruiseControl ? 300 : 0
    price += car.hasNavigation ? 900 : 0
    let maker = try car.raw.textBytes(at: 0).byteCount
    let model = try car.raw.textBytes(at: 1).byteCount
    return price + UInt64(car.cupHolders) * 25 + UInt64(maker + model)
  }

  static func read(_ lot: ParkingLot.Reader) throws(CapnProtoError) -> UInt64 {
    var total: UInt64 = 0
    let cars = try lot.cars
    for index in cars.indices { total += try price(cars[index]) }
    return total
  }
}

/// What a search found, ranked anew by what the snippets hold.
enum Hits: Load {
  typealias Root = HitList

  private static let start: StaticString = "http://example.org/"
  private static let words: [StaticString] = [
    "tree ", "lake ", "stone ", "river ", "cloud ", "moss ", "fern ", "owl ",
  ]

  static func build(_ list: HitList.Builder, _ random: inout Random) {
    let hits = list.initHits(Int(150 + random.below(150)))
    var score = 1000.0
    // As in C++, the text is put together in a buffer on the stack, and copied into the message.
    withUnsafeTemporaryAllocation(byteCount: 400, alignment: 1) { text in
      func add(_ word: StaticString, at length: inout Int) {
        UnsafeMutableRawBufferPointer(rebasing: text[length...])
          .copyMemory(from: UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        length += word.utf8CodeUnitCount
      }
      func span(_ length: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text[..<length]) }
      for index in hits.indices {
        let hit = hits[index]
        score -= Double(1 + random.below(3))
        hit.score = score
        var length = 0
        add(start, at: &length)
        for _ in 0..<random.below(60) {
          text[length] = UInt8(ascii: "a") + UInt8(random.below(26))
          length += 1
        }
        hit.raw.setText(UTF8Span(unchecked: Span(_unsafeBytes: span(length))), at: 0)
        let hasCat = random.below(8) == 0
        let hasDog = random.below(8) == 0
        length = 0
        add(" ", at: &length)
        for _ in 0..<random.below(20) { add(words[Int(random.below(8))], at: &length) }
        if hasCat { add("cat ", at: &length) }
        if hasDog { add("dog ", at: &length) }
        for _ in 0..<random.below(20) { add(words[Int(random.below(8))], at: &length) }
        hit.raw.setText(UTF8Span(unchecked: Span(_unsafeBytes: span(length))), at: 1)
      }
    }
  }

  private static func contains(_ text: RawSpan, _ word: StaticString) -> Bool {
    // A text ends with NUL; nobody else can write to this one.
    text.withUnsafeBytes { text in
      guard let start = text.baseAddress else { return false }
      return strstr(
        start.assumingMemoryBound(to: CChar.self), UnsafeRawPointer(word.utf8Start).assumingMemoryBound(to: CChar.self))
        != nil
    }
  }

  static func read(_ list: HitList.Reader) throws(CapnProtoError) -> UInt64 {
    var best = 0.0
    var sum: UInt64 = 0
    let hits = try list.hits
    for index in hits.indices {
      let hit = hits[index]
      var score = hit.score
      let snippet = try hit.raw.textBytes(at: 1)
      if contains(snippet, " cat ") { score *= 10000 }
      if contains(snippet, " dog ") { score /= 10000 }
      if score > best { best = score }
      let url = try hit.raw.textBytes(at: 0).byteCount
      sum += UInt64(url) + UInt64(score)
    }
    return sum + UInt64(best)
  }
}

/// An arithmetic expression as a tree, evaluated.
enum Eval: Load {
  typealias Root = Expression

  static func build(_ expression: Expression.Builder, _ random: inout Random) { build(expression, &random, 0) }

  private static func build(_ expression: Expression.Builder, _ random: inout Random, _ depth: UInt32) {
    expression.operation = Operation(rawValue: UInt16(random.below(5)))
    if random.below(8) < depth {
      expression.left.value = Int32(random.below(128) + 1)
    } else {
      build(expression.left.initExpression(), &random, depth + 1)
    }
    if random.below(8) < depth {
      expression.right.value = Int32(random.below(128) + 1)
    } else {
      build(expression.right.initExpression(), &random, depth + 1)
    }
  }

  private static func evaluate(_ expression: Expression.Reader) throws(CapnProtoError) -> Int32 {
    let left: Int32
    switch try expression.left.which {
    case .value(let value): left = value
    case .expression(let inner): left = try evaluate(inner)
    case .unknown: left = 0
    }
    let right: Int32
    switch try expression.right.which {
    case .value(let value): right = value
    case .expression(let inner): right = try evaluate(inner)
    case .unknown: right = 0
    }
    let (a, b) = (UInt32(bitPattern: left), UInt32(bitPattern: right))
    let result =
      switch expression.operation {
      case .add: a &+ b
      case .subtract: a &- b
      case .multiply: a &* b
      case .divide: b == 0 ? 7 : a / b
      default: b == 0 ? 9 : a % b
      }
    return Int32(bitPattern: result)
  }

  static func read(_ expression: Expression.Reader) throws(CapnProtoError) -> UInt64 {
    UInt64(UInt32(bitPattern: try evaluate(expression)))
  }
}
