import Glibc

/// Whose process this is.
public enum UserIdentity {
  /// The user whose rights the process has. The corresponding C function is `geteuid`.
  public static var effectiveUID: UInt32 { geteuid() }

  /// The group whose rights the process has. The corresponding C function is `getegid`.
  public static var effectiveGID: UInt32 { getegid() }

  /// The process's number. The corresponding C function is `getpid`.
  public static var processID: Int32 { getpid() }
}

/// The variables that the process was started with.
public enum Environment {
  /// The value of a variable; nil when it is not set. The corresponding C function is `getenv`.
  ///
  /// Threads: safe as long as nobody in the process changes the environment at the same time.
  public static func value(of name: String) -> String? {
    // Sound: the string is copied before the environment can change, under the condition above.
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
