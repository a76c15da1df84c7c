import Foundation
import SluiceWaiting
import Testing

@testable import SluiceTransport

@Suite struct OneShotTests {
  @Test func `only the first delivery counts`() async {
    let shot = OneShot<Int>()
    #expect(shot.fulfill(1))
    #expect(!shot.fulfill(2))
    #expect(await shot.wait(onCancel: 0) == 1)
  }

  @Test func `a suspended waiter gets what is delivered later`() async {
    let shot = OneShot<Int>()
    async let value = shot.wait(onCancel: 0)
    shot.fulfill(7)
    #expect(await value == 7)
  }

  @Test func `a cancelled waiter gets the value for that`() async {
    let shot = OneShot<Int>()
    let task = Task { await shot.wait(onCancel: -1) }
    task.cancel()
    #expect(await task.value == -1)
    #expect(!shot.fulfill(1))
  }

  @Test func `a blocked thread is let go by a delivery`() async {
    let shot = OneShot<Int>()
    let result = OneShot<Int>()
    // A thread of its own: those of the tasks must not block.
    Thread.detachNewThread { result.fulfill(shot.waitBlocking(deadline: nil, onTimeout: 0)) }
    shot.fulfill(3)
    #expect(await result.wait(onCancel: -1) == 3)
  }

  @Test func `a blocked thread is let go at the deadline`() {
    let shot = OneShot<Int>()
    #expect(shot.waitBlocking(deadline: .now.advanced(by: .milliseconds(1)), onTimeout: -2) == -2)
    #expect(!shot.fulfill(1))
  }

  @Test func `of many who deliver at once, one wins`() async {
    for _ in 0..<200 {
      let shot = OneShot<Int>()
      let wins = await withTaskGroup(of: Bool.self) { group in
        for index in 0..<4 { group.addTask { shot.fulfill(index) } }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(wins == 1)
    }
  }
}

@Suite struct MailboxTests {
  private struct Broken: Error {}

  private func element<Failure>(_ item: MailboxItem<Int, Failure>) -> Int? {
    if case .element(let value) = item { value } else { nil }
  }

  @Test func `elements come out in order, those before the end also after it`() async {
    let box = Mailbox<Int, Broken>(capacity: 3)
    #expect(box.deliver(1) && box.deliver(2))
    box.finish(Broken())
    #expect(!box.deliver(3))
    #expect(element(await box.next()) == 1)
    #expect(element(box.nextBlocking(deadline: nil)) == 2)
    guard case .failed = await box.next() else { return #expect(Bool(false), "must fail") }
  }

  @Test func `a full mailbox refuses`() {
    let box = Mailbox<Int, Never>(capacity: 1)
    #expect(box.deliver(1))
    #expect(!box.deliver(2))
    #expect(box.removeAll() == [1])
    #expect(box.deliver(3))
  }

  @Test func `who gave up gets no element, the next one does`() async {
    let box = Mailbox<Int, Never>(capacity: 1)
    guard case .gaveUp = box.nextBlocking(deadline: .now) else { return #expect(Bool(false), "must give up") }
    #expect(box.deliver(5))
    #expect(element(await box.next()) == 5)
  }

  @Test func `each element goes to exactly one of many waiters`() async {
    let box = Mailbox<Int, Never>(capacity: 1000)
    let sum = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var sum = 0
          while case .element(let value) = await box.next() { sum += value }
          return sum
        }
      }
      for value in 1...1000 { while !box.deliver(value) { await Task.yield() } }
      box.finish()
      return await group.reduce(0, +)
    }
    #expect(sum == 500_500)
  }
}
