import Foundation
import Glibc
import Sluice
import SystemPackage
import TestSupport

/// How much of the matrix is gone through.
enum Extent: String {
  case quick, all
}

/// Who is hit where, by what, over which link.
struct Matrix {
  private struct Case {
    let role: SessionRole
    let step: Step
    let blow: Blow
  }

  private let directory: String
  private let cases: [Case]
  private let settings: [(link: String, backing: String)]

  init(directory: String, _ extent: Extent) throws {
    self.directory = directory
    let all = try [SessionRole.client, .server].flatMap { role in
      try Step.all(of: role).flatMap { step in Blow.allCases.map { Case(role: role, step: step, blow: $0) } }
    }
    switch extent {
    case .all:
      cases = all
      settings = Setting.links.flatMap { link in Setting.backings.map { (link.name, $0.name) } }
    case .quick:
      // Each kind of message with each signal and role: at a moment that is another one each time.
      let kinds = Dictionary(grouping: all.indices) { "\(all[$0].role) \(all[$0].step.passage) \(all[$0].blow)" }
      let firsts = kinds.values.sorted { ($0.first ?? 0) < ($1.first ?? 0) }
      cases = firsts.enumerated().map { all[$1[$0 % $1.count]] }
      settings = [(Setting.links[0].name, Setting.backings[0].name)]
    }
  }

  func run(only: String?, link wanted: String? = nil) async throws {
    var count = 0
    for (link, backing) in settings where wanted == nil || wanted == link {
      let setting = try Setting(directory: directory, link: link, backing: backing)
      let server = try Upstream.serve(setting)
      defer { try? FileManager.default.removeItem(atPath: setting.upstreamDirectory.string) }
      let survivor = Survivor(setting: setting, upstream: try await Upstream.message(setting))
      for each in cases where only == nil || only == "\(each.step)" {
        let name = "\(each.blow) \(each.role) \(each.step) \(link) \(backing)"
        say("step \(name)")
        alarm(patienceInSeconds)
        do {
          if count < 2 { try await survivor.run(each.step, of: each.role, each.blow, isFirst: true) }
          try await survivor.run(each.step, of: each.role, each.blow, isFirst: false)
        } catch {
          say("wrong \(name): \(error)")
        }
        count += 1
      }
      server.shutdown()
    }
    say("done \(count)")
  }
}
