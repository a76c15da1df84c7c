import Testing

@testable import perf_demo

@Suite struct ByteSizeTests {
  @Test(arguments: [
    ("1", 1), ("17B", 17), ("100kB", 100_000), ("100KB", 100_000), ("1MB", 1_000_000), ("1.5 MB", 1_500_000),
    ("1GB", 1_000_000_000), ("1KiB", 1024), ("64MiB", 67_108_864), ("1gib", 1_073_741_824), (" 2kB", 2000),
    ("0.5KiB", 512),
  ])
  func `a size is read with its unit`(text: String, byteCount: Int) throws {
    #expect(try ByteSize(parsing: text).byteCount == byteCount)
  }

  @Test(arguments: [
    "", "kB", "-1kB", "0", "0MB", "1.2.3MB", "1xB", "1 potato", "0.5", "1.0001kB", "NaN", "1e3", "1001GB",
    "99999999999999999999999999GB", "٣kB",
  ])
  func `what is no size is refused`(text: String) {
    #expect(throws: DemoError.self) { try ByteSize(parsing: text) }
  }

  @Test func `a list keeps its order`() throws {
    #expect(try ByteSize.list(parsing: "1MB,100kB").map(\.byteCount) == [1_000_000, 100_000])
  }

  @Test(arguments: ["", "1MB,", ",1MB", "1MB,,2MB", "1MB,1000kB", "1MB;2MB"])
  func `a list with an empty, repeated or wrong entry is refused`(text: String) {
    #expect(throws: DemoError.self) { try ByteSize.list(parsing: text) }
  }

  @Test(arguments: [
    (1, "1 B"), (999, "999 B"), (1000, "1 kB"), (100_000, "100 kB"), (67_108_864, "67.1 MB"), (1_500_000, "1.5 MB"),
    (1_000_000_000, "1 GB"), (1_073_741_824, "1.07 GB"),
  ])
  func `a size is shown in decimal units`(byteCount: Int, text: String) {
    #expect(ByteSize(byteCount: byteCount).description == text)
  }

  @Test func `payloads that do not fit into memory three times are refused`() throws {
    let sizes = try ByteSize.list(parsing: "1GB,2GB")
    #expect(throws: Never.self) { try MemoryNeeds.check(sizes, memoryBytes: 9_000_000_000) }
    #expect(
      throws: DemoError.tooLarge(
        total: ByteSize(byteCount: 3_000_000_000), memory: ByteSize(byteCount: 8_999_999_999))
    ) { try MemoryNeeds.check(sizes, memoryBytes: 8_999_999_999) }
  }
}
