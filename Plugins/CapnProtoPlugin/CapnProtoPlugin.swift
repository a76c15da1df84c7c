import Foundation
import PackagePlugin

/// Generates Swift for the `.capnp` files of a target with `capnp compile` and `capnpc-swift`.
///
/// All schemas of a target go through one command, so that what they import from each other is known to be in one module.
/// Schemas of the targets it depends on can be imported too: by their path inside their target, `import "/cache.capnp"`.
@main
struct CapnProtoPlugin: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    guard let target = target as? any SourceModuleTarget else { return [] }
    let schemas = target.schemas
    guard !schemas.isEmpty else { return [] }

    let compiler = try SchemaCompiler.find(environment: ProcessInfo.processInfo.environment)
    let generator = try context.tool(named: "capnpc-swift").url
    let output = context.pluginWorkDirectoryURL
    let dependencies = target.dependenciesWithSchemas
    let importDirectories =
      [target.directoryURL] + dependencies.map(\.directoryURL) + [context.package.directoryURL]
      + context.package.generatorPackages.map { $0.directoryURL.appending(path: "Schemas/Include") }
      + SchemaCompiler.standardImportDirectories
    let imports = ImportScanner(importDirectories: importDirectories).filesImported(by: schemas)

    return [
      .buildCommand(
        displayName: "Generating Swift from the Cap'n Proto schemas of \(target.name)",
        executable: compiler,
        arguments: ["compile", "-o\(generator.path):\(output.path)", "--src-prefix=\(target.directoryURL.path)"]
          + importDirectories.map { "-I\($0.path)" }
          + schemas.map(\.path),
        environment: [
          "CAPNPC_SWIFT_MODULE": target.moduleName,
          "CAPNPC_SWIFT_IMPORTS": dependencies.flatMap(\.importLines).joined(separator: "\n"),
        ],
        inputFiles: schemas + imports + [generator],
        outputFiles: schemas.map { output.appending(path: $0.path(relativeTo: target.directoryURL) + ".swift") })
    ]
  }
}

extension Package {
  /// The package that has the generator: this one, or one that it depends on. `swift.capnp` comes with it.
  var generatorPackages: [Package] {
    var seen: Set<Package.ID> = []
    var pending = [self]
    while let package = pending.popLast() {
      if package.targets.contains(where: { $0.name == "capnpc-swift" }) { return [package] }
      pending += package.dependencies.map(\.package).filter { seen.insert($0.id).inserted }
    }
    return []
  }
}

extension SourceModuleTarget {
  /// The target's schemas, in a stable order.
  var schemas: [URL] {
    sourceFiles.map(\.url).filter { $0.pathExtension == "capnp" }.sorted { $0.path < $1.path }
  }

  /// The targets below this one that have schemas of their own.
  var dependenciesWithSchemas: [any SourceModuleTarget] {
    recursiveTargetDependencies.compactMap { $0 as? any SourceModuleTarget }.filter { !$0.schemas.isEmpty }
  }

  /// Which module the types of this target's schemas are in, as `capnpc-swift` reads it.
  var importLines: [String] {
    schemas.map { "\($0.path(relativeTo: directoryURL))=\(moduleName)" }
  }
}

extension URL {
  /// The path from `directory` to this file, which is inside of it.
  func path(relativeTo directory: URL) -> String {
    let prefix = directory.path.hasSuffix("/") ? directory.path : directory.path + "/"
    return path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : lastPathComponent
  }
}
