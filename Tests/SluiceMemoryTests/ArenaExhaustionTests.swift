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
      let limit = Int(used) + 3
      guard case .segment(.descriptorTableFull(_, limit)) = found else {
        fatalError("expected the limit of descriptors, not \(String(describing: found))")
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
        guard case .segment(.descriptorTableFull(_, limit)) = error, error.description.contains("\(limit)") else {
          fatalError("expected the limit of descriptors, not \(error)")
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
        guard case .segment(.tooManyMappings("test.mappings.1", let limit)) = error, limit == ResourceLimit.mappings,
          limit > mappings.count
        else { fatalError("expected the limit of mappings, not \(error)") }
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
        let limit = ResourceLimit.addressSpace
        guard error == .segment(.addressSpaceFull(name: "test.space.0", limit: limit == .max ? nil : limit)) else {
          fatalError("expected the limit of addresses, not \(error)")
        }
      }
      _ = try arena.allocate(byteCount: 64)
    }
  }
}
