/// What a reactor can look at without a system call, such as a ring that was busy a moment ago.
package protocol ReactorPoller: AnyObject, Sendable {
  /// Whether it makes sense to look again and again for a while.
  var maySpin: Bool { get }
  /// Handles what is there. On the reactor's thread.
  func poll() -> ReactorPoll
  /// The reactor is about to sleep: has it told, by a descriptor, of what comes from now on. False when something has come
  /// already, which is to be polled for first.
  func settle() -> Bool
}

/// What a look has led to.
package enum ReactorPoll: Sendable {
  case nothing
  /// There was something, which was handled.
  case found
  /// Somebody else looks meanwhile: spinning against them would take the processor from them.
  case attended
}
