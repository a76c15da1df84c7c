// swift-tools-version: 6.2
import PackageDescription

// Schemas in two targets, one of which imports the other's, and a program that uses both.
let schema: [SwiftSetting] = [.enableExperimentalFeature("Lifetimes")]

let package = Package(
  name: "AddressBook",
  platforms: [.macOS(.v26)],
  dependencies: [.package(name: "sluice", path: "../..")],
  targets: [
    .target(
      name: "People", dependencies: [.product(name: "CapnProto", package: "sluice")], swiftSettings: schema,
      plugins: [.plugin(name: "CapnProtoPlugin", package: "sluice")]),
    .target(
      name: "Places", dependencies: ["People", .product(name: "CapnProto", package: "sluice")], swiftSettings: schema,
      plugins: [.plugin(name: "CapnProtoPlugin", package: "sluice")]),
    .executableTarget(name: "addressbook", dependencies: ["People", "Places"]),
  ]
)
