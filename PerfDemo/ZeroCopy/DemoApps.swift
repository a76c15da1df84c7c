import Logging
import Sluice

/// The names under which the two halves meet.
enum DemoApps {
  static let clientName = "perf-demo-client"

  /// The server app; it accepts sessions from the client app of that name.
  static func server(allowing clientName: String = Self.clientName) -> ServerApp {
    ServerApp("perf-demo-server", allowing: [ClientApp(clientName)])
  }

  /// A client app.
  static func client(_ name: String = Self.clientName) -> ClientApp { ClientApp(name) }

  /// For a client that prints why it failed: the library need not say it, too.
  static var quiet: SessionOptions {
    var options = SessionOptions()
    options.logger.logLevel = .critical
    return options
  }
}
