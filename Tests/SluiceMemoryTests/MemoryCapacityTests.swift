import Testing

@testable import SluiceSystem

@Suite struct MemoryCapacityTests {
  @Test func theLeastLimitOfAllEnclosingCgroupsCounts() {
    let files = [
      "/sys/fs/cgroup/memory.max": "max\n",
      "/sys/fs/cgroup/user.slice/memory.max": "4000000000\n",
      "/sys/fs/cgroup/user.slice/app/memory.max": "max\n",
    ]
    let capacity = MemoryCapacity.available(physical: 16 << 30, cgroups: "0::/user.slice/app\n") { files[$0] }
    #expect(capacity == 4_000_000_000)
  }

  @Test func versionOneLimitsCountOnlyForTheMemoryController() {
    let files = [
      "/sys/fs/cgroup/memory/box/memory.limit_in_bytes": "1000000000\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    ]
    let cgroups = "5:cpu,memory:/box\n3:cpuset:/\n"
    let capacity = MemoryCapacity.available(physical: 16 << 30, cgroups: cgroups) { files[$0] }
    #expect(capacity == 1_000_000_000)
    #expect(MemoryCapacity.available(physical: 16 << 30, cgroups: "3:cpuset:/box\n") { files[$0] } == 16 << 30)
  }

  @Test func aPathOfTheHostFallsBackToTheContainersOwnRoot() {
    let files = ["/sys/fs/cgroup/memory.max": "2000000000\n"]
    let capacity = MemoryCapacity.available(physical: 16 << 30, cgroups: "0::/docker/abc\n") { files[$0] }
    #expect(capacity == 2_000_000_000)
  }

  @Test func withoutLimitsOrWithGarbageTheMachinesMemoryCounts() {
    #expect(MemoryCapacity.available(physical: 8 << 30, cgroups: "") { _ in nil } == 8 << 30)
    #expect(MemoryCapacity.available(physical: 8 << 30, cgroups: "nonsense\n0:\n0::/\n") { _ in "?" } == 8 << 30)
    #expect(MemoryCapacity.available(physical: 8 << 30, cgroups: "0::/") { _ in "99999999999999999999" } == 8 << 30)
  }

  @Test func thisMachineHasMemoryAndProcessors() {
    #expect(MemoryCapacity.available > 16 << 20)
    #expect(MemoryCapacity.processorCount >= 1)
  }
}
