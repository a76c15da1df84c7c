import Glibc
import SluiceSystem
import SystemPackage
import Testing

@testable import SluiceMemory

/// Limits of the process, met in a process of their own.
@Suite struct ArenaExhaustionTests {
  @Test func aFullDescriptorTableIsATypedErrorAndWorkGoesOnOnceThereIsRoom() async {
    await #expect(processExitsWith: .success) {
      let arena = try Arena(name: "test.descriptors", scope: .session, byteLimit: 1 << 40)
      var limits = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
      let spare = try FileDescriptor.open("/dev/null", .readOnly)
      let used = rlim_t(spare.rawValue)
      try spare.close()
      let old = limits.rlim_cur
      limits.rlim_cur = used + 3
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)

      var live: [UnsafeMutableRawBufferPointer] = []
      var found: ArenaError?
      while found == nil, live.count < 10 {
        do throws(ArenaError) { live.append(try arena.allocate(byteCount: 1 << 30)) } catch { found = error }
      }
      guard case .segment(.system(_, let error)) = found, error.errno == .tooManyOpenFiles else {
        fatalError("expected EMFILE, not \(String(describing: found))")
      }
      // What is free already needs no descriptor: an empty segment makes way for one of the size asked for.
      guard let last = live.popLast()?.baseAddress else { fatalError("nothing was allocated") }
      arena.deallocate(last)
      live.append(try arena.allocate(byteCount: 3 << 30))
      // Small allocations report it the same way, through jemalloc.
      let small = try Arena(name: "test.descriptors.small", scope: .session)
      do throws(ArenaError) {
        _ = try small.allocate(byteCount: 64)
        fatalError("allocated without a descriptor")
      } catch {
        guard case .segment(.system(_, let error)) = error, error.errno == .tooManyOpenFiles else {
          fatalError("expected EMFILE, not \(error)")
        }
      }
      limits.rlim_cur = old
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
      _ = try arena.allocate(byteCount: 1 << 30)
      _ = try small.allocate(byteCount: 64)
    }
  }

  @Test func aFullListOfMappingsIsATypedErrorAndWorkGoesOnOnceThereIsRoom() async {
    await #expect(processExitsWith: .success) {
      let arena = try Arena(name: "test.mappings", scope: .session, byteLimit: 1 << 40)
      _ = try arena.allocate(byteCount: 64)
      var mappings: [UnsafeMutableRawPointer] = []
      mappings.reserveCapacity(1 << 20)
      while mappings.count < 1 << 20 {
        // Neighbours of another kind are not joined into one mapping.
        let protection = mappings.count % 2 == 0 ? PROT_READ : PROT_NONE
        let mapping = mmap(nil, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapping, mapping != MAP_FAILED else { break }
        mappings.append(mapping)
      }
      do throws(ArenaError) {
        _ = try arena.allocate(byteCount: 64 << 20)
        fatalError("allocated without a mapping")
      } catch {
        guard case .segment(.system(_, let error)) = error, error.errno == .noMemory else {
          fatalError("expected ENOMEM, not \(error)")
        }
      }
      for mapping in mappings.suffix(100) { munmap(mapping, 4096) }
      _ = try arena.allocate(byteCount: 64 << 20)
    }
  }

  @Test func aFullAddressSpaceIsATypedErrorThatNamesTheSegment() async {
    await #expect(processExitsWith: .success) {
      let arena = try Arena(name: "test.space", scope: .session, byteLimit: .max)
      do throws(ArenaError) {
        _ = try arena.allocate(byteCount: 1 << 50)
        fatalError("allocated more than there are addresses")
      } catch {
        guard case .segment(.system("test.space.0", let error)) = error, error.errno == .noMemory else {
          fatalError("expected ENOMEM, not \(error)")
        }
      }
      _ = try arena.allocate(byteCount: 64)
    }
  }
}
