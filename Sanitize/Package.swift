// swift-tools-version: 6.2
import PackageDescription

// What `make sanitize` builds and runs: the transports and their tests, by links, in a package of its own, since a program
// that links jemalloc cannot run under the sanitizers.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
]
let library: [SwiftSetting] =
  settings + [
    .strictMemorySafety(), .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  ]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")

let package = Package(
  name: "sluice-sanitize",
  platforms: [.macOS(.v26)],
  dependencies: [
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
  ],
  targets: [
    .target(name: "CSluice"),
    // Tells the thread sanitizer of Swift's `Mutex`.
    .target(name: "CSanitize"),
    .target(name: "SluiceSystem", dependencies: ["CSluice", system], swiftSettings: library),
    .target(name: "SluiceWaiting", dependencies: ["SluiceSystem", deque], swiftSettings: library),
    .target(
      name: "SluiceTransport", dependencies: ["SluiceWaiting", "SluiceSystem", system, deque, logging],
      swiftSettings: library),
    .target(name: "CSteps", path: "Tests/CSteps"),
    .target(name: "TestSupport", dependencies: [system], path: "Tests/TestSupport", swiftSettings: settings),
    .testTarget(
      name: "SluiceSystemTests", dependencies: ["CSanitize", "TestSupport", "SluiceSystem", "CSluice", system],
      swiftSettings: settings),
    .testTarget(
      name: "SluiceTransportTests",
      dependencies: ["CSanitize", "CSteps", "TestSupport", "SluiceTransport", "SluiceWaiting", "SluiceSystem", system],
      // Whose own memory is not to be taken for ours.
      swiftSettings: settings + [.define("SANITIZED")]),
  ]
)
