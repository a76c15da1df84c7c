// swift-tools-version: 6.2
import PackageDescription

// The fuzzer of sessions is a package of its own, and builds the library it fuzzes with the flags that `make fuzz` gives:
// for libFuzzer, with what is internal visible. Without the address sanitizer, which does not go with jemalloc.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
  name: "sluice-session-fuzz",
  platforms: [.macOS(.v26)],
  dependencies: [.package(name: "sluice", path: "../..")],
  targets: [
    .target(name: "CFuzzer"),
    .executableTarget(
      name: "session-fuzz", dependencies: [.product(name: "Sluice", package: "sluice"), "CFuzzer"],
      swiftSettings: settings, linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
  ]
)
