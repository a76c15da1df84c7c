/// The modules of this package, lowest first, and what each may import. The order is the architecture: a module imports
/// only modules above it in this list (a test holds the list to that).
struct Layer: Sendable {
  /// The module's name, as in `import`.
  let module: String
  /// The folder that holds its sources, relative to the package.
  let folder: String
  /// The modules of this package that it may import.
  let own: Set<String>
  /// Everything else that it may import: the standard library's own modules are always allowed.
  let foreign: Set<String>
  /// Whether it may depend on one operating system (`#if os`, `import Glibc`).
  let isPlatformSpecific: Bool

  init(
    _ module: String, in folder: String, own: Set<String> = [], foreign: Set<String> = [],
    isPlatformSpecific: Bool = false
  ) {
    self.module = module
    self.folder = folder
    self.own = own
    self.foreign = foreign
    self.isPlatformSpecific = isPlatformSpecific
  }

  /// What comes with the language and stands for no layer.
  static let standardLibrary: Set<String> = ["Swift", "Synchronization", "_Concurrency"]

  /// What depends on one operating system, whoever imports it.
  static let platformModules: Set<String> = ["Glibc", "Musl", "Darwin", "Bionic", "WinSDK", "Android"]

  static let all: [Layer] = [
    Layer("CSluice", in: "Sources/CSluice", isPlatformSpecific: true),
    Layer("CJemalloc", in: "Sources/CJemalloc"),
    Layer(
      "SluiceSystem", in: "Sources/SluiceSystem", own: ["CSluice"], foreign: ["SystemPackage", "Glibc"],
      isPlatformSpecific: true),
    Layer("CapnProto", in: "Sources/CapnProto"),
    Layer("CapnProtoSchema", in: "Sources/CapnProtoSchema", own: ["CapnProto"]),
    Layer("CapnProtoReflection", in: "Sources/CapnProtoReflection", own: ["CapnProtoSchema", "CapnProto"]),
    // The generator is a plug-in of `capnp compile`: it needs standard input, output and files, hence Foundation.
    Layer("capnpc-swift", in: "Sources/capnpc-swift", own: ["CapnProtoSchema", "CapnProto"], foreign: ["Foundation"]),
    Layer("CapnProtoPlugin", in: "Plugins/CapnProtoPlugin", foreign: ["PackagePlugin", "Foundation"]),
    Layer("SluiceWaiting", in: "Sources/SluiceWaiting", own: ["SluiceSystem"], foreign: ["DequeModule"]),
    Layer(
      "SluiceTransport", in: "Sources/SluiceTransport", own: ["SluiceWaiting", "SluiceSystem"],
      foreign: ["SystemPackage", "DequeModule", "Logging"]),
    Layer(
      "SluiceMemory", in: "Sources/SluiceMemory", own: ["SluiceSystem", "CJemalloc"], foreign: ["SystemPackage"]),
    Layer(
      "SluiceContainers", in: "Sources/SluiceContainers", own: ["SluiceSystem", "CapnProto"], foreign: ["SystemPackage"]
    ),
    Layer("SluiceSchemas", in: "Schemas/Sluice", own: ["CapnProto"]),
    Layer(
      "SluiceChannel", in: "Sources/SluiceChannel",
      own: ["SluiceTransport", "SluiceWaiting", "SluiceMemory", "SluiceSchemas", "CapnProto", "SluiceSystem"],
      foreign: ["DequeModule", "Logging"]),
    Layer(
      "SluiceSession", in: "Sources/SluiceSession",
      own: [
        "SluiceChannel", "SluiceContainers", "SluiceTransport", "SluiceWaiting", "SluiceMemory", "SluiceSchemas",
        "CapnProto", "SluiceSystem",
      ],
      foreign: ["SystemPackage", "DequeModule", "Logging"]),
    Layer(
      "Sluice", in: "Sources/Sluice",
      own: [
        "SluiceSession", "SluiceChannel", "SluiceContainers", "SluiceTransport", "SluiceMemory", "SluiceSystem",
        "CapnProto",
      ]),
    Layer("PerfDemoSchema", in: "Schemas/PerfDemo", own: ["CapnProto"]),
    // perf_demo uses Foundation for directories, JSON and signals; of this package it sees what an application sees.
    Layer(
      "perf_demo", in: "PerfDemo", own: ["Sluice", "PerfDemoSchema"],
      foreign: ["ArgumentParser", "Histogram", "Subprocess", "Logging", "SystemPackage", "Foundation"]),
  ]
}
