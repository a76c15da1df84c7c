import Foundation
import Subprocess
import Testing

/// Misuses of views and builders that do not compile, each beside what does. A view that outlived its message would look at
/// memory that is somebody else's by then.
@Suite struct MisuseTests {
  struct Misuse: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What the compiler must say about `wrong`.
    let diagnostic: String
    let wrong: String
    /// The same intent, expressed so that it compiles.
    let right: String
  }

  static let misuses: [Misuse] = [
    Misuse(
      testDescription: "a container outlives its message",
      diagnostic: "lifetime-dependent variable 'prices' escapes its scope",
      wrong: """
        func f(_ bytes: [UInt8]) throws -> Int {
          let prices: SharedDictionary<SharedString, SharedArray<Double>>
          do {
            let message = try MessageReader(Prices.self, stream: bytes)
            let root = try message.root
            prices = try root.value
          }
          return prices.count
        }
        """,
      right: """
        func f(_ bytes: [UInt8]) throws -> Int {
          let message = try MessageReader(Prices.self, stream: bytes)
          let root = try message.root
          let prices: SharedDictionary<SharedString, SharedArray<Double>>
          do { prices = try root.value }
          return prices.count
        }
        """),
    Misuse(
      testDescription: "an inner container outlives its message",
      diagnostic: "escapes its scope",
      wrong: """
        func f(_ bytes: [UInt8]) throws -> Double {
          var found: SharedArray<Double>?
          do {
            let message = try MessageReader(Prices.self, stream: bytes)
            let root = try message.root
            let prices = try root.value
            found = try prices["ACME"]
          }
          if let found { return found[0] }
          return 0
        }
        """,
      right: """
        func f(_ bytes: [UInt8]) throws -> Double {
          let message = try MessageReader(Prices.self, stream: bytes)
          let root = try message.root
          let prices = try root.value
          if let found = try prices["ACME"] { return found[0] }
          return 0
        }
        """),
    Misuse(
      testDescription: "a span of elements outlives its message",
      diagnostic: "lifetime-dependent variable 'span' escapes its scope",
      wrong: """
        func f(_ bytes: [UInt8]) throws -> Double {
          let span: Span<Double>
          do {
            let message = try MessageReader(SharedRoot<SharedArray<Double>>.self, stream: bytes)
            let root = try message.root
            let array = try root.value
            span = try array.span
          }
          return span[0]
        }
        """,
      right: """
        func f(_ bytes: [UInt8]) throws -> Double {
          let message = try MessageReader(SharedRoot<SharedArray<Double>>.self, stream: bytes)
          let root = try message.root
          let array = try root.value
          let span = try array.span
          return span[0]
        }
        """),
    Misuse(
      testDescription: "a container is captured by a task",
      diagnostic: "lifetime-dependent variable 'prices' escapes its scope",
      wrong: """
        func f(_ message: borrowing MessageReader<Prices>) throws {
          let root = try message.root
          let prices = try root.value
          Task { _ = prices.count }
        }
        """,
      right: """
        func f(_ message: borrowing MessageReader<Prices>) async throws -> Int {
          let root = try message.root
          let prices = try root.value
          await Task.yield()
          return prices.count
        }
        """),
    Misuse(
      testDescription: "a builder is kept",
      diagnostic: "'builder' used after consume",
      wrong: """
        func f(_ message: inout MessageBuilder<Prices>) throws {
          var kept: SharedBuilder?
          try message.root.build(capacity: 64) { builder in
            kept = consume builder
            return try builder.write(["ACME": [1.5]])
          }
        }
        """,
      right: """
        func f(_ message: inout MessageBuilder<Prices>) throws {
          try message.root.build(capacity: 1024) { builder in
            try builder.write(["ACME": [1.5]])
          }
        }
        """),
    Misuse(
      testDescription: "a Bool stands in shared memory",
      diagnostic: "does not conform to protocol 'SharedValue'",
      wrong: "func f(_ array: SharedArray<Bool>) -> Int { array.count }",
      right: "func f(_ array: SharedArray<SharedBool>) -> Int { array.count }"),
    Misuse(
      testDescription: "a plain struct holds a reference",
      diagnostic: "non-bitwise-copyable type 'String'",
      wrong: "struct Entry: PlainBits { var id: UInt32; var name: String }",
      right: "struct Entry: PlainBits { var id: UInt32; var name: InlineArray<28, UInt8> }"),
  ]

  static let preamble = """
    import CapnProto
    import SluiceContainers
    typealias Prices = SharedRoot<SharedDictionary<SharedString, SharedArray<Double>>>

    """

  @Test("a misuse does not compile, and the compiler says why", arguments: misuses)
  func refused(_ misuse: Misuse) async throws {
    let result = try await Compiler.check(Self.preamble + misuse.wrong)
    #expect(!result.succeeded)
    #expect(result.diagnostics.contains(misuse.diagnostic), "\(result.diagnostics)")
  }

  @Test("the right way compiles", arguments: misuses)
  func accepted(_ misuse: Misuse) async throws {
    let result = try await Compiler.check(Self.preamble + misuse.right)
    #expect(result.succeeded, "\(result.diagnostics)")
  }
}
