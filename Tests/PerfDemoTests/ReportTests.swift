import Foundation
import Testing

@testable import perf_demo

@Suite struct ReportTests {
  private static let report = Report(
    machine: Machine(
      operatingSystem: "Linux <&>", kernel: "6.18", architecture: "x86_64", processors: 2, memoryBytes: 24 << 30),
    rows: [
      row(.classic, 100_000, p50: 92_000), row(.zeroCopy, 100_000, p50: 98_000),
      row(.classic, 1_000_000_000, p50: 480_000_000), row(.zeroCopy, 1_000_000_000, p50: 100_000),
    ])

  private static func row(_ mode: Mode, _ byteCount: Int, p50: UInt64) -> ReportRow {
    let payload = ByteSize(byteCount: byteCount)
    return ReportRow(
      fileName: "\(payload.fileNamePart).bin", mode: mode, transport: mode == .classic ? "socket" : "ring",
      payload: payload,
      latency: LatencySummary(iterations: 1000, p50: p50, p99: p50 * 2, minimum: p50 / 2, maximum: p50 * 3),
      verifiedResponses: 11)
  }

  @Test func `the table has a row for each payload and mode, with the ratio of the medians`() throws {
    let lines = TextTable(Self.report).text.split(separator: "\n").map(String.init)
    #expect(lines.count(where: { $0.contains(" classic ") }) == 2)
    let largest = try #require(lines.last { $0.contains("zero-copy") && $0.hasPrefix("1GB.bin") })
    let cells = largest.split(separator: "  ").map { $0.trimmingCharacters(in: .whitespaces) }
    #expect(
      cells == [
        "1GB.bin", "1 GB", "zero-copy", "ring", "1000", "100 us", "200 us", "50 us", "300 us", "11", "4800 x",
      ])
    #expect(lines.contains("Zero-copy, 1 GB against 100 kB: 1.02 x."))
  }

  @Test func `the JSON document has a machine and rows with exactly the promised fields`() throws {
    let text = try JSONReport(Self.report).encoded()
    let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(Set(document.keys) == ["machine", "rows"])
    let rows = try #require(document["rows"] as? [[String: Any]])
    #expect(rows.count == 4)
    for row in rows {
      #expect(
        Set(row.keys) == [
          "mode", "transport", "payloadBytes", "iterations", "p50Nanoseconds", "p99Nanoseconds", "minNanoseconds",
          "maxNanoseconds", "verified",
        ])
    }
    #expect(rows[3]["mode"] as? String == "zero-copy")
    #expect(rows[3]["payloadBytes"] as? Int == 1_000_000_000)
    #expect(rows[3]["p50Nanoseconds"] as? Int == 100_000)
    #expect(rows[3]["verified"] as? Bool == true)
    #expect(try JSONDecoder().decode(JSONReport.self, from: Data(text.utf8)) == JSONReport(Self.report))
  }

  @Test func `the chart is well-formed and has a labelled point for each row`() throws {
    let svg = Plot(Self.report).svg
    let outline = SVGOutline(parsing: svg)
    #expect(outline.isWellFormed)
    #expect(outline.count(of: "circle") == 4)
    #expect(outline.texts.contains("480 ms"))
    #expect(outline.texts.contains("100 MB"))
    #expect(outline.texts.contains { $0.contains("Linux <&>") })
  }

  @Test func `a chart of one payload still has axes`() {
    let report = Report(machine: Self.report.machine, rows: Array(Self.report.rows.prefix(2)))
    let svg = Plot(report).svg
    #expect(SVGOutline(parsing: svg).isWellFormed)
    #expect(!svg.contains("nan") && !svg.contains("inf"))
  }
}

@Suite struct LogAxisTests {
  @Test func `an axis spans whole decades and places its ends at the ends`() {
    let axis = LogAxis(holding: [150, 9000], from: 0, to: 300)
    #expect(axis.decades == 2...4)
    #expect(axis.pixel(of: 100) == 0)
    #expect(axis.pixel(of: 10_000) == 300)
    #expect(axis.majorTicks == [100, 1000, 10_000])
    #expect(axis.minorTicks.count == 16)
  }

  @Test func `a single power of ten gets a decade of room`() {
    #expect(LogAxis(holding: [1000], from: 0, to: 1).decades == 3...4)
  }
}
