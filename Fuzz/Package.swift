// swift-tools-version: 6.2
import PackageDescription

// Fuzzers are a package of their own: everything in it, the runtime's sources included (by a link), is compiled for
// libFuzzer and with the address sanitizer.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableExperimentalFeature("Lifetimes"),
  .unsafeFlags(["-sanitize=fuzzer,address"]),
]

let package = Package(
  name: "sluice-fuzz",
  platforms: [.macOS(.v26)],
  targets: [
    .target(name: "CFuzzer"),
    .target(
      name: "CapnProto",
      swiftSettings: settings + [.strictMemorySafety(), .enableExperimentalFeature("SuppressedAssociatedTypes")]),
    .executableTarget(
      name: "capnproto-fuzz", dependencies: ["CapnProto", "CFuzzer"], swiftSettings: settings,
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
  ]
)
