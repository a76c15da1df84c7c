/// The report as a chart: time of a round trip over size of payload, both logarithmic, as SVG.
struct Plot {
  private struct Style {
    let color: String
    let title: String
  }

  private static let width = 900.0
  private static let height = 560.0
  private static let area = (left: 92.0, right: 868.0, top: 76.0, bottom: 484.0)

  private let report: Report
  private let x: LogAxis
  private let y: LogAxis

  init(_ report: Report) {
    self.report = report
    x = LogAxis(
      holding: report.rows.map { Double($0.payload.byteCount) }, from: Self.area.left + 24, to: Self.area.right - 24)
    y = LogAxis(
      holding: report.rows.flatMap { [Double(max($0.latency.p50, 1)), Double(max($0.latency.p99, 1))] },
      from: Self.area.bottom, to: Self.area.top)
  }

  /// The document.
  var svg: String {
    var lines = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(Self.width)) \(number(Self.height))" \
      width="\(number(Self.width))" height="\(number(Self.height))" \
      font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" fill="#334155">
      """,
      "<title>Round trip of a request and its response, by size of payload</title>",
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>",
    ]
    lines += heading + grid + axisLabels
    for mode in Mode.allCases { lines += series(of: mode) }
    lines += legend
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func style(of mode: Mode) -> Style {
    switch mode {
    case .classic: Style(color: "#c2410c", title: "classic: Cap'n Proto over a Unix stream socket")
    case .zeroCopy: Style(color: "#0f766e", title: "zero-copy: channel.request, read in place")
    }
  }

  private var heading: [String] {
    [
      text("Request and response between two processes", x: Self.area.left, y: 34, size: 18, weight: "600"),
      text(report.machine.summary, x: Self.area.left, y: 56, size: 12, color: "#64748b"),
    ]
  }

  private var grid: [String] {
    let (left, right, top, bottom) = Self.area
    func vertical(_ value: Double, _ color: String) -> String {
      line(x.pixel(of: value), top, x.pixel(of: value), bottom, color)
    }
    func horizontal(_ value: Double, _ color: String) -> String {
      line(left, y.pixel(of: value), right, y.pixel(of: value), color)
    }
    return x.minorTicks.map { vertical($0, "#f1f5f9") } + y.minorTicks.map { horizontal($0, "#f1f5f9") }
      + x.majorTicks.map { vertical($0, "#cbd5e1") } + y.majorTicks.map { horizontal($0, "#cbd5e1") }
      + [line(left, bottom, right, bottom, "#475569"), line(left, top, left, bottom, "#475569")]
  }

  private var axisLabels: [String] {
    let (left, right, top, bottom) = Self.area
    let middle = (top + bottom) / 2
    return x.majorTicks.map {
      text(ByteSize(byteCount: Int($0)).description, x: x.pixel(of: $0), y: bottom + 20, anchor: "middle")
    }
      + y.majorTicks.map {
        text(Figures.duration(nanoseconds: UInt64($0)), x: left - 10, y: y.pixel(of: $0) + 4.5, anchor: "end")
      }
      + [
        text("payload", x: (left + right) / 2, y: bottom + 44, anchor: "middle", weight: "600"),
        "<text transform=\"translate(24 \(number(middle))) rotate(-90)\" text-anchor=\"middle\" font-weight=\"600\">"
          + "round trip</text>",
      ]
  }

  /// The median as a line with marked and labelled points, and the 99th percentile as a dashed line.
  private func series(of mode: Mode) -> [String] {
    let rows = report.rows(of: mode)
    let color = Self.style(of: mode).color
    func points(_ value: (LatencySummary) -> UInt64) -> [(x: Double, y: Double)] {
      rows.map { (x.pixel(of: Double($0.payload.byteCount)), y.pixel(of: Double(max(value($0.latency), 1)))) }
    }
    let medians = points(\.p50)
    var lines = [
      polyline(points(\.p99), color, width: 1.25, dashes: "5 4"), polyline(medians, color, width: 2.5, dashes: nil),
    ]
    for (row, point) in zip(rows, medians) {
      lines.append(
        "<circle cx=\"\(number(point.x))\" cy=\"\(number(point.y))\" r=\"4.5\" fill=\"\(color)\" stroke=\"#ffffff\" "
          + "stroke-width=\"1.5\"/>")
      lines.append(
        text(
          Figures.duration(nanoseconds: row.latency.p50), x: point.x, y: point.y + labelOffset(of: row),
          anchor: "middle", size: 12, color: color, weight: "600", halo: true))
    }
    return lines
  }

  /// Labels stand outside the two lines: above the slower of two points and under the faster, so that they stay apart
  /// where the lines cross.
  private func labelOffset(of row: ReportRow) -> Double {
    let other = report.counterpart(of: row)
    let isSlower = other.map { $0.latency.p50 < row.latency.p50 } ?? true
    return isSlower ? -12 : 22
  }

  private var legend: [String] {
    let left = Self.area.left + 16
    var lines: [String] = []
    var row = Self.area.top + 22
    for mode in Mode.allCases where !report.rows(of: mode).isEmpty {
      let style = Self.style(of: mode)
      lines.append(polyline([(left, row - 4.5), (left + 30, row - 4.5)], style.color, width: 2.5, dashes: nil))
      lines.append(text(style.title, x: left + 40, y: row, halo: true))
      row += 20
    }
    lines.append(polyline([(left, row - 4.5), (left + 30, row - 4.5)], "#64748b", width: 1.25, dashes: "5 4"))
    lines.append(
      text("dashed: 99th percentile; solid: median", x: left + 40, y: row, color: "#64748b", halo: true))
    return lines
  }

  private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String) -> String {
    "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" stroke=\"\(color)\"/>"
  }

  private func polyline(
    _ points: [(x: Double, y: Double)], _ color: String, width: Double, dashes: String?
  ) -> String {
    let coordinates = points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
    let dashArray = dashes.map { " stroke-dasharray=\"\($0)\"" } ?? ""
    return "<polyline points=\"\(coordinates)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"\(number(width))\" "
      + "stroke-linejoin=\"round\"\(dashArray)/>"
  }

  private func text(
    _ content: String, x: Double, y: Double, anchor: String = "start", size: Double = 13, color: String = "#334155",
    weight: String = "400", halo: Bool = false
  ) -> String {
    let outline = halo ? " stroke=\"#ffffff\" stroke-width=\"4\" paint-order=\"stroke\"" : ""
    return "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\" font-size=\"\(number(size))\" "
      + "fill=\"\(color)\" font-weight=\"\(weight)\"\(outline)>\(escaped(content))</text>"
  }

  /// A coordinate to a hundredth of a pixel.
  private func number(_ value: Double) -> String {
    let hundredths = (value * 100).rounded() / 100
    return hundredths == hundredths.rounded() ? "\(Int(hundredths))" : "\(hundredths)"
  }

  private func escaped(_ content: String) -> String {
    var escaped = ""
    for character in content {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
