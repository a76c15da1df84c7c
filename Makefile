# Each target first makes sure that the machine has what the package needs.
DEMO_FLAGS ?= --json perf_demo.json --plot perf_demo.svg
BENCH_FLAGS ?=
CHAOS_KILLS ?= 1000
CHAOS_FLAGS ?=
SOAK_SECONDS ?= 180
FUZZ_RUNS ?= 200000
SANITIZE_FLAGS ?=
SWIFT ?= swift

.PHONY: help demo test examples lint chaos soak killmatrix bench bench-memory bench-capnproto fuzz sanitize bootstrap

help:
	@echo 'make demo    build perf_demo and run it: what zero-copy is worth, per payload size'
	@echo '             (DEMO_FLAGS="--sizes 100kB,1MB --json out.json --plot out.svg")'
	@echo 'make test    build everything and run all tests'
	@echo 'make examples  build and run the packages in Examples (part of make test)'
	@echo 'make chaos   kill a server and its clients with SIGKILL, over and over (CHAOS_KILLS=1000 CHAOS_FLAGS="seed=7 link=ring")'
	@echo 'make soak    mixed traffic for minutes, among neighbours that stall, crash and flood (SOAK_SECONDS=180)'
	@echo 'make killmatrix  kill and stop either end of a session at each step of the protocol, over each link'
	@echo 'make lint    check the formatting of all sources, strictly'
	@echo 'make fuzz    fuzz the Cap'"'"'n Proto runtime and the session protocol (FUZZ_RUNS=200000 inputs per target; address sanitizer)'
	@echo 'make sanitize  test the transports with the thread and the address sanitizer (SANITIZE_FLAGS="--filter Ring")'
	@echo 'make bench   round trips against bare C baselines, as ratios (BENCH_FLAGS="--json out.json")'
	@echo 'make bench-memory  leases, payloads of 1 to 100 MiB, and fragmentation, against their budgets'
	@echo 'make bench-capnproto  Cap'"'"'n Proto loads against libcapnp, as ratios (BENCH_FLAGS="--json" or "--rounds 200")'

bootstrap:
	@Scripts/bootstrap.sh

demo: bootstrap
	$(SWIFT) build --configuration release --product perf_demo
	"$$($(SWIFT) build --configuration release --show-bin-path)/perf_demo" $(DEMO_FLAGS)

test: bootstrap
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --no-parallel
	Scripts/examples.sh

examples: bootstrap
	Scripts/examples.sh

# The same seed makes the same choices. `chaos` prints the one that it drew.
chaos: bootstrap
	$(SWIFT) build --configuration release --product chaos
	"$$($(SWIFT) build --configuration release --show-bin-path)/chaos" kills=$(CHAOS_KILLS) $(CHAOS_FLAGS)

soak: bootstrap
	$(SWIFT) build --build-tests
	SOAK_SECONDS=$(SOAK_SECONDS) $(SWIFT) test --skip-build --no-parallel --filter SoakTests

killmatrix: bootstrap
	$(SWIFT) build --build-tests
	SLUICE_KILL_MATRIX=all $(SWIFT) test --skip-build --no-parallel --filter KillMatrixTests

lint: bootstrap
	@Scripts/lint.sh

bench: bootstrap
	$(SWIFT) build --package-path Benchmarks --configuration release
	"$$($(SWIFT) build --package-path Benchmarks --configuration release --show-bin-path)/sluice-bench" $(BENCH_FLAGS)

bench-memory: bootstrap
	$(SWIFT) build --package-path Benchmarks --configuration release --product memory-bench
	"$$($(SWIFT) build --package-path Benchmarks --configuration release --show-bin-path)/memory-bench"

# New inputs that reach new code are kept beside the build, so that a further run goes on from them.
fuzz: bootstrap
	$(SWIFT) build --package-path Fuzz --configuration release
	@for target in reader packed stream builder; do \
	  mkdir -p "Fuzz/.build/corpus/$$target" && \
	  "$$($(SWIFT) build --package-path Fuzz --configuration release --show-bin-path)/capnproto-fuzz" "$$target" \
	    "Fuzz/.build/corpus/$$target" "Fuzz/Seeds/$$target" \
	    -runs=$(FUZZ_RUNS) -max_len=256 -print_final_stats=1 -artifact_prefix="Fuzz/.build/$$target-" || exit 1; \
	done

	$(SWIFT) build $(FUZZ_SESSIONS)
	@for target in control envelope channel descriptor; do \
	  mkdir -p "Fuzz/Sessions/.build/corpus/$$target" && \
	  program="$$($(SWIFT) build $(FUZZ_SESSIONS) --show-bin-path)/session-fuzz" && \
	  "$$program" "$$target" --seeds "Fuzz/Sessions/.build/corpus/$$target" && \
	  "$$program" "$$target" "Fuzz/Sessions/.build/corpus/$$target" \
	    -runs=$(FUZZ_RUNS) -max_len=512 -print_final_stats=1 -artifact_prefix="Fuzz/Sessions/.build/$$target-" || exit 1; \
	done

# All modules are instrumented, and show what is internal. gold, the default linker, does not go with that.
FUZZ_SESSIONS = --package-path Fuzz/Sessions --configuration release \
  -Xswiftc -enable-testing -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld

# Each sanitizer has a build of its own. A report fails the test program, whatever its tests say. Fewer exchanges, as each
# takes many times as long.
sanitize: export SLUICE_RING_EXCHANGES ?= 1000

SANITIZED = --package-path Sanitize --scratch-path Sanitize/.build/$(1) --sanitize $(1)

sanitize: bootstrap
	$(SWIFT) build $(call SANITIZED,thread) --build-tests
	TSAN_OPTIONS="suppressions=$(CURDIR)/Sanitize/suppressions.txt halt_on_error=0 exitcode=66 history_size=4" \
	  $(SWIFT) test $(call SANITIZED,thread) --skip-build --no-parallel $(SANITIZE_FLAGS)
	$(SWIFT) build $(call SANITIZED,address) --build-tests
	ASAN_OPTIONS="detect_leaks=0 exitcode=66" \
	  $(SWIFT) test $(call SANITIZED,address) --skip-build --no-parallel $(SANITIZE_FLAGS)

# The C++ side is a library that the program loads, so that both sides run by turns in one process.
CXX_LOADS = Benchmarks/.build/cxx

bench-capnproto: bootstrap
	@mkdir -p $(CXX_LOADS)
	capnp compile --src-prefix=Benchmarks/Sources/LoadSchema -oc++:$(CXX_LOADS) Benchmarks/Sources/LoadSchema/loads.capnp
	$(CXX) -std=c++17 -O2 -DNDEBUG -shared -fPIC -I $(CXX_LOADS) -o $(CXX_LOADS)/libloads.so \
	  Benchmarks/Cxx/loads.cpp $(CXX_LOADS)/loads.capnp.c++ -lcapnp -lkj
	$(SWIFT) build --package-path Benchmarks --configuration release --product capnproto-bench
	"$$($(SWIFT) build --package-path Benchmarks --configuration release --show-bin-path)/capnproto-bench" \
	  $(CXX_LOADS)/libloads.so $(BENCH_FLAGS)
