/// What a reactor can look at without a system call, such as a ring that was busy a moment ago.
package protocol ReactorPoller: AnyObject, Sendable {
  /// Whether it makes sense to look again and again for a while.
  var maySpin: Bool { get }
  /// Whether somebody else looks at it meanwhile. One load.
  var isAttended: Bool { get }
  /// Handles what is there; false when there was nothing. On the reactor's thread.
  func poll() -> Bool
  /// The reactor is about to sleep: has it told, by a descriptor, of what comes from now on. False when something has come
  /// already, which is to be polled for first.
  func settle() -> Bool
}
