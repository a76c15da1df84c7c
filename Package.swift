// swift-tools-version: 6.2
import PackageDescription

// Every target is compiled in Swift 6 mode, with memory-unsafe constructs marked, and without warnings.
let base: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]
let library: [SwiftSetting] = base + [.strictMemorySafety()]
// Where `@_lifetime` is written: the Cap'n Proto runtime, generated code, and what returns readers.
let lifetimes: [SwiftSetting] = [.enableExperimentalFeature("Lifetimes")]
// Where tasks suspend: an `async` function runs where its caller does, so that an exchange needs no hop between executors.
let suspending: [SwiftSetting] = [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")

let package = Package(
  name: "sluice",
  platforms: [.macOS(.v26)],
  products: [
    .library(name: "Sluice", targets: ["Sluice"]),
    .library(name: "CapnProto", targets: ["CapnProto"]),
    .library(name: "CapnProtoReflection", targets: ["CapnProtoReflection"]),
    .executable(name: "capnpc-swift", targets: ["capnpc-swift"]),
    .plugin(name: "CapnProtoPlugin", targets: ["CapnProtoPlugin"]),
    .executable(name: "perf_demo", targets: ["perf_demo"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
  ],
  targets: [
    // The layers, lowest first: a module imports only modules above it (Tests/ArchitectureTests).
    .target(name: "CSluice"),
    .systemLibrary(name: "CJemalloc", pkgConfig: "jemalloc", providers: [.apt(["libjemalloc-dev"])]),
    .target(name: "SluiceSystem", dependencies: ["CSluice", system], swiftSettings: library + lifetimes),
    .target(
      name: "CapnProto",
      swiftSettings: library + lifetimes + [.enableExperimentalFeature("SuppressedAssociatedTypes")]),
    .target(name: "CapnProtoSchema", dependencies: ["CapnProto"], swiftSettings: base + lifetimes),
    .target(
      name: "CapnProtoReflection", dependencies: ["CapnProtoSchema", "CapnProto"], swiftSettings: library + lifetimes),
    .executableTarget(
      name: "capnpc-swift", dependencies: ["CapnProtoSchema", "CapnProto"], swiftSettings: library + lifetimes),
    .plugin(name: "CapnProtoPlugin", capability: .buildTool(), dependencies: ["capnpc-swift"]),
    .target(
      name: "SluiceWaiting", dependencies: ["SluiceSystem", deque], swiftSettings: library + suspending + lifetimes),
    .target(
      name: "SluiceTransport", dependencies: ["SluiceWaiting", "SluiceSystem", system, deque, logging],
      swiftSettings: library + suspending + lifetimes),
    .target(
      name: "SluiceMemory", dependencies: ["SluiceSystem", "CJemalloc", system], swiftSettings: library + lifetimes),
    .target(
      name: "SluiceContainers", dependencies: ["SluiceSystem", "CapnProto", system],
      swiftSettings: library + lifetimes + [.enableExperimentalFeature("SuppressedAssociatedTypes")]),
    .target(
      name: "SluiceSchemas", dependencies: ["CapnProto"], path: "Schemas/Sluice", swiftSettings: base + lifetimes,
      plugins: ["CapnProtoPlugin"]),
    .target(
      name: "SluiceChannel",
      dependencies: ["SluiceTransport", "SluiceWaiting", "SluiceMemory", "CapnProto", "SluiceSystem"],
      swiftSettings: library + suspending + lifetimes),
    .target(
      name: "SluiceSession",
      dependencies: [
        "SluiceChannel", "SluiceContainers", "SluiceTransport", "SluiceWaiting", "SluiceMemory", "SluiceSchemas",
        "CapnProto", "SluiceSystem", system, deque, logging,
      ],
      swiftSettings: library + suspending + lifetimes),
    .target(
      name: "Sluice",
      dependencies: [
        "SluiceSession", "SluiceChannel", "SluiceContainers", "SluiceTransport", "SluiceMemory", "SluiceSystem",
        "CapnProto",
      ],
      swiftSettings: library + suspending),

    // perf_demo: what zero-copy is worth.
    .target(
      name: "PerfDemoSchema", dependencies: ["CapnProto"], path: "Schemas/PerfDemo", swiftSettings: base + lifetimes,
      plugins: ["CapnProtoPlugin"]),
    .executableTarget(
      name: "perf_demo", dependencies: ["Sluice", "PerfDemoSchema", arguments, histogram, subprocess, logging, system],
      path: "PerfDemo", swiftSettings: library),

    // Tests.
    .target(
      name: "TestSchema", dependencies: ["CapnProto"], path: "Tests/TestSchema", swiftSettings: base + lifetimes,
      plugins: ["CapnProtoPlugin"]),
    // What tests and their programs share.
    .target(name: "TestSupport", dependencies: [system], path: "Tests/TestSupport", swiftSettings: base),
    .executableTarget(
      name: "TestPeer", dependencies: ["Sluice", "TestSchema", "TestSupport", system], path: "Tests/TestPeer",
      swiftSettings: base),
    .executableTarget(
      name: "chaos", dependencies: ["Sluice", "TestSchema", "TestSupport", system], path: "Tests/Chaos",
      swiftSettings: base),
    // Kills a process at a system call of its own.
    .target(name: "CSteps", path: "Tests/CSteps"),
    .executableTarget(
      name: "killmatrix",
      dependencies: [
        "Sluice", "SluiceSession", "SluiceSchemas", "CapnProtoReflection", "TestSchema", "TestSupport", system,
      ],
      path: "Tests/KillMatrix", swiftSettings: base),
    .testTarget(name: "ArchitectureTests", swiftSettings: base),
    .testTarget(
      name: "SluiceSystemTests", dependencies: ["TestSupport", "SluiceSystem", "CSluice", system], swiftSettings: base),
    .testTarget(
      name: "CapnProtoTests", dependencies: ["CapnProto", subprocess, system], swiftSettings: base + lifetimes),
    .testTarget(
      name: "CapnProtoInteropTests", dependencies: ["CapnProto", "CapnProtoSchema", subprocess, system],
      exclude: ["Oracle", "Schemas/embedded.txt"],
      swiftSettings: base + lifetimes, plugins: ["CapnProtoPlugin"]),
    .testTarget(
      name: "CapnProtoReflectionTests",
      dependencies: ["TestSupport", "CapnProtoReflection", "CapnProtoSchema", "CapnProto", subprocess, system],
      swiftSettings: base + lifetimes, plugins: ["CapnProtoPlugin"]),
    .testTarget(
      name: "SluiceTransportTests",
      dependencies: ["CSteps", "TestSupport", "SluiceTransport", "SluiceWaiting", "SluiceSystem", system],
      swiftSettings: base),
    .testTarget(
      name: "SluiceMemoryTests", dependencies: ["TestSupport", "SluiceMemory", "CJemalloc", system],
      swiftSettings: base),
    .testTarget(
      name: "SluiceContainersTests",
      dependencies: [
        "TestSupport", "Sluice", "PerfDemoSchema", "SluiceContainers", "CapnProto", "SluiceSystem", subprocess, system,
      ],
      swiftSettings: base + lifetimes),
    .testTarget(
      name: "SluiceChannelTests", dependencies: ["TestSupport", "SluiceChannel", "TestSchema", system],
      swiftSettings: base),
    .testTarget(
      name: "SluiceSessionTests",
      dependencies: [
        "TestSupport", "Sluice", "SluiceSchemas", "CapnProtoReflection", "TestSchema", "TestPeer", "killmatrix",
        subprocess, system, logging,
      ],
      swiftSettings: base),
    .testTarget(
      name: "ChaosTests", dependencies: ["TestSupport", "Sluice", "TestSchema", "chaos", subprocess, system],
      swiftSettings: base),
    .testTarget(
      name: "PerfDemoTests", dependencies: ["Sluice", "PerfDemoSchema", "perf_demo", subprocess, system],
      swiftSettings: base),
  ]
)
