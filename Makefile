# The front door: every thing that a person does here is one verb. `make help` lists them.
#
# A verb installs what it lacks, at the versions pinned here, and needs nothing beforehand but Rust and a C++ compiler.

CARGO_FUZZ    := 0.13.2
CARGO_AFL     := 0.18.2
CARGO_DENY    := 0.20.2
CARGO_MUTANTS := 27.1.0

# What can be said to a verb, `make fuzz BUG=canary SECONDS=60`.
BUG     ?=
DESIGN  ?=
SECONDS ?=
SEED    ?=
JOBS    ?= 1
TARGET  ?= differential
FILE    ?=
FILES   ?=
WHAT    ?=
CORPUS  ?= fuzz/corpus/$(TARGET)
OUT     ?= fuzz/afl/out/$(or $(BUG),none)
ASAN    ?=
ARGS    ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
# What is said to us is not said to the makefiles that tools are built with, nor to build scripts, which have a
# TARGET of their own; bash counts in SECONDS.
MAKEOVERRIDES :=
unexport BUG DESIGN SECONDS SEED JOBS TARGET FILE FILES WHAT CORPUS OUT ASAN ARGS

shootdown := cargo run --release --package shootdown --
planted   := $(if $(BUG),--bug $(BUG)) $(foreach design,$(DESIGN),--design $(design))
# Stacks that are abandoned after a finding make AddressSanitizer's fake stacks grow without end.
libfuzzer := $(if $(ASAN),ASAN_OPTIONS=detect_stack_use_after_return=0 cargo +nightly fuzz run --features asan,cargo fuzz-run)
# Where others fuzz, OSS-Fuzz and ClusterFuzz, the same flags are read from the same file.
flags     := $(shell sed -n 's/^\([a-z_]*\) *= */-\1=/p' fuzz/libfuzzer.options)
under     := SHOOTDOWN_BUG='$(BUG)' SHOOTDOWN_DESIGN='$(DESIGN)'

# What a verb needs is run for seconds, so it is built for a short build and not for speed: cargo-deny asks for whole-program
# optimisation.
quick := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1

# $(call installed,cargo verb,package,version)
define installed
@cargo $(1) --version 2>/dev/null | grep -qwF '$(3)' || $(quick) cargo install --locked $(2) --version $(3)
endef

.PHONY: help
help: ## this page
	@echo 'Shootdown: find, shrink and understand memory-management races.'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'To fuzz, afl, minimize and replay you can say:'
	@echo '  BUG=NAME                  plant a known bug (`cargo run -p shootdown -- bugs` lists them)'
	@echo '  DESIGN="POINT=VARIANT .." choose other designs (`cargo run -p shootdown -- designs` lists them)'
	@echo 'and to fuzz and afl:'
	@echo '  SECONDS=N   end after so long; without it they run until a finding or Ctrl-C'
	@echo '  SEED=N      seed of the engine'
	@echo '  JOBS=N      so many processes'
	@echo '  ASAN=1      under AddressSanitizer, which needs a nightly Rust (fuzz only)'
	@echo '  ARGS=".."   more flags of libFuzzer, -help=1 lists them (fuzz only)'
	@echo '  TARGET=NAME differential, or designs: each story chooses the designs of the kernels too (fuzz only)'
	@echo '  CORPUS=DIR  where libFuzzer keeps its corpus (fuzz/corpus/TARGET)'
	@echo '  OUT=DIR     where AFL++ keeps its findings (fuzz/afl/out/BUG)'
	@echo 'For example:'
	@echo '  make fuzz BUG=va-reuse-unflushed'
	@echo '  make minimize BUG=va-reuse-unflushed FILE=fuzz/artifacts/differential/crash-...'

# --- fuzzing ---

.PHONY: fuzz
fuzz: compiler cargo-fuzz seeds ## fuzz with libFuzzer until it finds something
	$(under) $(libfuzzer) $(TARGET) $(CORPUS) -- $(flags) -print_final_stats=1 -print_funcs=0 \
	    $(if $(SECONDS),-max_total_time=$(SECONDS)) $(if $(SEED),-seed=$(SEED)) \
	    $(if $(filter-out 1,$(JOBS)),-fork=$(JOBS)) $(ARGS)

.PHONY: afl
afl: afl-build ## fuzz with AFL++ until it finds something
	rm -rf fuzz/afl/in
	cargo run --package shootdown -- encode corpus/seeds -o fuzz/afl/in
	$(under) fuzz/afl/run --out '$(OUT)' --jobs '$(JOBS)' $(if $(SECONDS),--seconds '$(SECONDS)') \
	    $(if $(SEED),--seed '$(SEED)')

.PHONY: smoke
smoke: ## fuzz for 15 seconds with each engine, from the seeds alone; a planted bug must be told
	rm -rf target/smoke
	fuzz/smoke

.PHONY: cmin
cmin: compiler cargo-fuzz seeds ## throw out of libFuzzer's corpus what adds no coverage
	cargo fuzz-cmin $(TARGET) $(CORPUS) -- $(flags)

.PHONY: coverage
coverage: compiler cargo-fuzz llvm-tools seeds ## which lines libFuzzer's corpus reaches, as pages to browse
	cargo fuzz-coverage $(TARGET) $(CORPUS)
	$(llvm-bin)/llvm-cov show --format=html --output-dir=fuzz/coverage/$(TARGET)/html \
	    --instr-profile=fuzz/coverage/$(TARGET)/coverage.profdata \
	    --ignore-filename-regex='/(registry|rustc)/' --show-instantiations=false \
	    target/$(host)/coverage/$(host)/release/$(TARGET)
	@echo 'Open fuzz/coverage/$(TARGET)/html/index.html'

# --- stories ---

.PHONY: test
test: compiler ## every test, and every story of the corpus
	cargo test --workspace --no-fail-fast

.PHONY: replay
replay: ## play stories again: FILES="PATH .."; if not said the whole corpus, with no bug planted
	$(shootdown) replay $(or $(FILES),corpus $(if $(BUG),,--bug none)) $(planted)

.PHONY: minimize
minimize: ## make a finding as short as it gets: FILE=PATH
	@[ -n '$(FILE)' ] || { echo 'make minimize: say which, FILE=PATH' >&2; exit 2; }
	@# Standard output is the story, and can be kept.
	@$(shootdown) minimize '$(FILE)' $(planted)

.PHONY: prove
prove: compiler ## what takes too long for every change: no false alarm, every bug found and minimized (about forty minutes on two cores)
	$(shootdown) prove --jobs "$$(nproc)" $(if $(BUG),--part bugs --bug '$(BUG)') $(ARGS)

# --- the code ---

.PHONY: lint
lint: cargo-deny ## format, clippy, rustdoc, licenses and sources
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --package shootdown-fuzz --package shootdown-afl \
	    --package shootdown-mutator --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --manifest-path fuzz/Cargo.toml --workspace -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	cargo deny check bans licenses sources
	cargo deny --manifest-path fuzz/Cargo.toml --config deny.toml check bans licenses sources

.PHONY: bench
bench: compiler ## how fast it is, beside shuttle and loom: all, or WHAT="points litmus .."
	cargo bench --package harness --bench speed -- $(WHAT)

.PHONY: cost
cost: compiler ## what designs cost in simulated time: the answers that docs/cost.md shows, and its picture
	@rm -f docs/cost.svg
	$(shootdown) cost --svg docs/cost.svg --update docs/cost.md

.PHONY: mutants
mutants: cargo-mutants ## break the oracle and the checks, one line at a time: do the tests notice? (half an hour)
	@# Each judge is held to the tests beside it alone: quick to build, and nothing is noticed by the luck of a story.
	@# A property that failed need not be made small. ARGS goes to cargo-mutants: '--shard 0/4', '--iterate'.
	@mkdir -p target/mutants/oracle target/mutants/checks
	status=0; \
	PROPTEST_MAX_SHRINK_ITERS=0 cargo mutants --package oracle --output target/mutants/oracle \
	    --cargo-arg=--tests --timeout 30 --jobs $(JOBS) $(ARGS) || status=$$?; \
	cargo mutants --package harness --file 'harness/src/checks.rs' --file 'harness/src/checks/**' \
	    --output target/mutants/checks --cargo-arg=--lib --timeout 30 --jobs $(JOBS) $(ARGS) || status=$$?; \
	exit $$status

.PHONY: targets
targets: compiler cargo-fuzz afl-build ## build every fuzz target, and run none; the engines must see the kernels in them
	cargo fuzz-build
	SHOOTDOWN_TARGET='$(or $(CARGO_TARGET_DIR),fuzz/target)/$(host)/release/differential' \
	    cargo test --manifest-path fuzz/Cargo.toml --package shootdown-counters

# --- what the verbs need ---

.PHONY: compiler
compiler:
	@command -v cargo >/dev/null || { echo 'Rust is missing: see https://rustup.rs' >&2; exit 1; }
	@for compiler in cc c++; do command -v $$compiler >/dev/null || { \
	    echo "A C and C++ compiler is needed ($$compiler is missing): libFuzzer and AFL++ are built from source." >&2; \
	    echo 'On Debian and Ubuntu: apt-get install build-essential' >&2; exit 1; }; done

.PHONY: cargo-fuzz cargo-afl cargo-deny cargo-mutants
cargo-fuzz:
	$(call installed,fuzz,cargo-fuzz,$(CARGO_FUZZ))

cargo-afl: compiler
	$(call installed,afl,cargo-afl,$(CARGO_AFL))
	@# AFL++ is built for one rustc; `--version` names it only where that was done.
	@cargo afl --version | grep -q 'AFL++ version' || cargo afl config --build

cargo-deny:
	$(call installed,deny,cargo-deny,$(CARGO_DENY))

cargo-mutants:
	$(call installed,mutants,cargo-mutants,$(CARGO_MUTANTS))

host     = $(shell rustc --print host-tuple)
llvm-bin = $(shell rustc --print sysroot)/lib/rustlib/$(host)/bin

.PHONY: llvm-tools
llvm-tools:
	@[ -x '$(llvm-bin)/llvm-profdata' ] || rustup component add llvm-tools || { \
	    echo 'Coverage needs the component llvm-tools of the Rust in use, and it could not be added.' >&2; exit 1; }

.PHONY: seeds
seeds:
	@mkdir -p '$(CORPUS)'
	cargo run --package shootdown -- encode corpus/seeds -o '$(CORPUS)'

.PHONY: afl-build
afl-build: cargo-afl
	cargo afl build --release --manifest-path fuzz/Cargo.toml --package shootdown-afl --target-dir fuzz/target/afl
	@# The mutator runs within AFL++ itself, so it is built without its instrumentation.
	cargo build --release --manifest-path fuzz/Cargo.toml --package shootdown-mutator --target-dir fuzz/target/afl-mutator
	cc -O2 -Wall -Wextra -shared -fPIC -fvisibility=hidden -Wl,--gc-sections -Wl,--exclude-libs,ALL \
	    -o fuzz/target/afl-mutator/mutator.so fuzz/mutator/afl.c \
	    fuzz/target/afl-mutator/release/libshootdown_mutator.a -lpthread -ldl -lm
