// swift-tools-version: 6.2
import PackageDescription

// Benchmarks are a package of their own, so that what only they need is no dependency of Sluice.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "sluice-benchmarks",
  platforms: [.macOS(.v26)],
  dependencies: [
    .package(name: "sluice", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    // The bare baselines, in C: what the machine can do without a library.
    .target(name: "CBench"),
    // Counts allocations, in the program that links it.
    .target(name: "CAllocations"),
    .target(
      name: "BenchSchema", dependencies: [.product(name: "CapnProto", package: "sluice")],
      swiftSettings: settings + [.enableExperimentalFeature("Lifetimes")],
      plugins: [.plugin(name: "CapnProtoPlugin", package: "sluice")]),
    // Cap'n Proto loads, against libcapnp: Cxx/ has the other side, built by `make bench-capnproto`.
    .target(
      name: "LoadSchema", dependencies: [.product(name: "CapnProto", package: "sluice")],
      swiftSettings: settings + [.enableExperimentalFeature("Lifetimes")],
      plugins: [.plugin(name: "CapnProtoPlugin", package: "sluice")]),
    .executableTarget(
      name: "capnproto-bench",
      dependencies: ["LoadSchema", "CAllocations", .product(name: "CapnProto", package: "sluice")],
      swiftSettings: settings),
    .executableTarget(
      name: "memory-bench",
      dependencies: [
        "BenchSchema", "CBench", .product(name: "Sluice", package: "sluice"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings + [.enableExperimentalFeature("Lifetimes")]),
    .executableTarget(
      name: "sluice-bench",
      dependencies: [
        "BenchSchema", "CBench",
        .product(name: "Sluice", package: "sluice"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings),
  ]
)
