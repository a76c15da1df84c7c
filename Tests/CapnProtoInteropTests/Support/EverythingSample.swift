import CapnProto
import Testing

/// The message `everything`: the same values as in `oracle.cpp` and `everything.txt`.
enum EverythingSample {
  static func fill(_ root: Everything.Builder) {
    fillScalars(root)
    fillScalarLists(root)
    fillPointerLists(root)
  }

  static func expect(_ root: Everything.Reader) throws {
    try expectScalars(root)
    try expectScalarLists(root)
    try expectPointerLists(root)
  }

  static func fillNested(_ nested: Everything.Nested.Builder, _ name: String, _ value: Int32) {
    nested.name = name
    nested.value = value
    nested.mood = .wild
  }

  static func expectNested(_ nested: Everything.Nested.Reader, _ name: String, _ value: Int32) throws {
    #expect(try nested.name == name)
    #expect(nested.value == value)
    #expect(nested.mood == .wild)
  }

  private static func fillScalars(_ root: Everything.Builder) {
    root.bool = true
    root.int8 = .min
    root.int16 = .min
    root.int32 = .min
    root.int64 = .min
    root.uInt8 = .max
    root.uInt16 = .max
    root.uInt32 = .max
    root.uInt64 = .max
    root.float32 = 1.5
    root.float64 = -2.25
    root.text = "text with é and 😀"
    root.setData([1, 2, 3])
    root.color = .green
    let nested = root.initNested()
    fillNested(nested, "nested", -5)
    fillNested(nested.initChild(), "child", 6)
    root.initImported().x = -3
    root.imported.y = 4
    root.kind = .one
  }

  private static func expectScalars(_ root: Everything.Reader) throws {
    #expect(root.void == ())
    #expect(root.bool == true)
    #expect(root.int8 == .min)
    #expect(root.int16 == .min)
    #expect(root.int32 == .min)
    #expect(root.int64 == .min)
    #expect(root.uInt8 == .max)
    #expect(root.uInt16 == .max)
    #expect(root.uInt32 == .max)
    #expect(root.uInt64 == .max)
    #expect(root.float32 == 1.5)
    #expect(root.float64 == -2.25)
    #expect(try root.text == "text with é and 😀")
    #expect(try root.data.bytes == [1, 2, 3])
    #expect(root.color == .green)
    let nested = try root.nested
    try expectNested(nested, "nested", -5)
    let child = try nested.child
    try expectNested(child, "child", 6)
    #expect(child.hasChild == false)
    let imported = try root.imported
    #expect(imported.x == -3)
    #expect(imported.y == 4)
    #expect(root.kind == .one)
  }

  private static let bools = [true, false, true, true, false, false, true, false, true, true]

  private static func fillScalarLists(_ root: Everything.Builder) {
    _ = root.initVoids(3)
    let bools = root.initBools(Self.bools.count)
    for (index, value) in Self.bools.enumerated() { bools[index] = value }
    let int8s = root.initInt8s(3)
    int8s[0] = .min
    int8s[2] = .max
    let int16s = root.initInt16s(2)
    int16s[0] = .min
    int16s[1] = .max
    let int32s = root.initInt32s(2)
    int32s[0] = .min
    int32s[1] = .max
    let int64s = root.initInt64s(2)
    int64s[0] = .min
    int64s[1] = .max
    root.initUInt8s(2)[1] = .max
    root.initUInt16s(2)[1] = .max
    root.initUInt32s(2)[1] = .max
    root.initUInt64s(2)[1] = .max
    let float32s = root.initFloat32s(3)
    float32s[0] = 0.5
    float32s[1] = -1e10
    float32s[2] = 3.4028235e38
    let float64s = root.initFloat64s(2)
    float64s[0] = 1e300
    float64s[1] = -0.125
    let colors = root.initColors(3)
    colors[0] = .blue
    colors[2] = .green
  }

  private static func expectScalarLists(_ root: Everything.Reader) throws {
    #expect(try root.voids.count == 3)
    #expect(try root.bools.array == bools)
    #expect(try root.int8s.array == [.min, 0, .max])
    #expect(try root.int16s.array == [.min, .max])
    #expect(try root.int32s.array == [.min, .max])
    #expect(try root.int64s.array == [.min, .max])
    #expect(try root.uInt8s.array == [0, .max])
    #expect(try root.uInt16s.array == [0, .max])
    #expect(try root.uInt32s.array == [0, .max])
    #expect(try root.uInt64s.array == [0, .max])
    #expect(try root.float32s.array == [0.5, -1e10, 3.4028235e38])
    #expect(try root.float64s.array == [1e300, -0.125])
    #expect(try root.colors.array == [.blue, .red, .green])
  }

  private static func fillPointerLists(_ root: Everything.Builder) {
    let texts = root.initTexts(3)
    texts[0] = "one"
    texts[1] = ""
    texts[2] = "three"
    let datas = root.initDatas(2)
    datas.setData([1, 2, 3], at: 0)
    datas.setData([0xff, 0], at: 1)
    let structs = root.initStructs(2)
    fillNested(structs[0], "first", 1)
    fillNested(structs[1], "second", 2)
    let points = root.initPoints(2)
    points[0].x = 1
    points[1].y = -1
    let numberLists = root.initNumberLists(3)
    let numbers = numberLists.initList(at: 0, count: 2)
    numbers[0] = 1
    numbers[1] = 2
    _ = numberLists.initList(at: 1, count: 0)
    numberLists.initList(at: 2, count: 1)[0] = -3
    let textLists = root.initTextLists(2)
    textLists.initList(at: 0, count: 1)[0] = "a"
    let innerTexts = textLists.initList(at: 1, count: 2)
    innerTexts[0] = "b"
    innerTexts[1] = "c"
    let innerDatas = root.initDataLists(1).initList(at: 0, count: 2)
    innerDatas.setData([0xff, 0], at: 0)
    innerDatas.setData([1, 2, 3], at: 1)
    let colorLists = root.initColorLists(2)
    colorLists.initList(at: 0, count: 1)[0] = .blue
    colorLists.initList(at: 1, count: 2)[0] = .green
    let structLists = root.initStructLists(2)
    fillNested(structLists.initList(at: 0, count: 1)[0], "in a list", 11)
    fillNested(structLists.initList(at: 1, count: 2)[1], "in another", 22)
    let boolLists = root.initBoolLists(1).initList(at: 0, count: 2)
    boolLists.initList(at: 0, count: 2)[0] = true
    boolLists.initList(at: 1, count: 1)[0] = true
  }

  private static func expectPointerLists(_ root: Everything.Reader) throws {
    #expect(try root.texts.array == ["one", "", "three"])
    let datas = try root.datas
    #expect(datas.count == 2)
    #expect(try datas[0].bytes == [1, 2, 3])
    #expect(try datas[1].bytes == [0xff, 0])
    let structs = try root.structs
    #expect(structs.count == 2)
    try expectNested(structs[0], "first", 1)
    try expectNested(structs[1], "second", 2)
    #expect(try root.points.map { [$0.x, $0.y] } == [[1, 0], [0, -1]])
    let numberLists = try root.numberLists
    #expect(numberLists.count == 3)
    #expect(try numberLists[0].array == [1, 2])
    #expect(try numberLists[1].array == [])
    #expect(try numberLists[2].array == [-3])
    let textLists = try root.textLists
    #expect(textLists.count == 2)
    #expect(try textLists[0].array == ["a"])
    #expect(try textLists[1].array == ["b", "c"])
    let dataLists = try root.dataLists
    #expect(dataLists.count == 1)
    let innerDatas = try dataLists[0]
    #expect(try innerDatas[0].bytes == [0xff, 0])
    #expect(try innerDatas[1].bytes == [1, 2, 3])
    let colorLists = try root.colorLists
    #expect(try colorLists[0].array == [.blue])
    #expect(try colorLists[1].array == [.green, .red])
    let structLists = try root.structLists
    let firstStructs = try structLists[0]
    try expectNested(firstStructs[0], "in a list", 11)
    let secondStructs = try structLists[1]
    #expect(secondStructs.count == 2)
    #expect(secondStructs[0].hasName == false)
    try expectNested(secondStructs[1], "in another", 22)
    let boolLists = try root.boolLists
    let innerBools = try boolLists[0]
    #expect(try innerBools[0].array == [true, false])
    #expect(try innerBools[1].array == [true])
  }
}
