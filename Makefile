# The index of what can be run. Each recipe is short; logic lives in xtask/ and examples/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
WEIR_CACHE ?= $(HOME)/.cache/weir
TOOLS := $(WEIR_CACHE)/tools
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(TOOLS)/bin/cargo-deny
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(TOOLS)/bin/cargo-fuzz

# Verdicts of other engines to compare with, beside the checkout unless told. Their tests run when they are there.
ifeq ($(origin WEIR_CORPORA),undefined)
  ifneq ($(wildcard ../shared/corpora/.),)
    export WEIR_CORPORA := $(abspath ../shared/corpora)
  endif
else
  export WEIR_CORPORA
endif

.NOTPARALLEL:
.PHONY: help test fmt clippy tidy deny doc transcript web unit demo demo-session demo-live bench fuzz

help: ## List what can be run
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# The counting step comes last: its last line is `N passed, N failed`.
test: web fmt clippy tidy deny doc transcript unit ## Check and test everything
fmt clippy tidy deny doc transcript unit: | toolchain

.PHONY: toolchain
toolchain:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null && command -v clang >/dev/null && command -v pkg-config >/dev/null && command -v nft >/dev/null \
	  && command -v ip >/dev/null && command -v curl >/dev/null \
	  && [[ -e /usr/include/libelf.h && -e /usr/include/zlib.h ]] || $(MAKE) --no-print-directory packages

# Beside the compilers: what a Kubernetes in namespaces is made of (testbed/), and a browser for the page.
.PHONY: testbed-toolchain
testbed-toolchain: toolchain
	@command -v go >/dev/null || { echo "go is missing: the testbed is built with it, install it from https://go.dev/dl" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "npm is missing: the page is built with it, install Node.js from https://nodejs.org" >&2; exit 1; }
	@command -v etcd >/dev/null && command -v runc >/dev/null && command -v conntrack >/dev/null \
	  && command -v chromium >/dev/null && command -v tcpdump >/dev/null && command -v tmux >/dev/null \
	  && [[ -d /usr/lib/cni && -e /usr/bin/busybox ]] && python3 -c 'import ensurepip, venv' \
	  || $(MAKE) --no-print-directory testbed-packages

.PHONY: testbed-packages
testbed-packages:
	apt-get update -q && apt-get install -qy --no-install-recommends \
	  etcd-server etcd-client runc containernetworking-plugins busybox-static conntrack chromium tcpdump tmux \
	  python3-venv

web: testbed-toolchain ## Check and build the page, which the binary then has in it
	cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build

# A bare Debian has no C linker, which Rust needs, nothing to compile and load programs for the kernel, no
# packet filter for the lab's Services, and nothing that the lab's tests run in pods.
.PHONY: packages
packages:
	apt-get update -q && apt-get install -qy --no-install-recommends \
	  gcc libc6-dev clang libelf-dev zlib1g-dev pkg-config nftables iptables iproute2 curl

fmt: ## Check the formatting
	$(CARGO) fmt --all --check

clippy: ## Lint with warnings denied
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

tidy: ## Check the house rules of STYLE.md
	$(CARGO) xtask tidy

# Not the advisories: they need a clone of a database from the network, and tests run without one.
deny: $(CARGO_DENY) ## Check licences, sources and duplicate versions of packages
	$(CARGO_DENY) --locked check bans licenses sources

$(CARGO_DENY): | toolchain
	$(CARGO) install cargo-deny --version $(CARGO_DENY_VERSION) --locked --root $(TOOLS)

doc: ## Build the documentation with warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked

transcript: ## Compare the README's transcript with what the commands print
	$(CARGO) xtask transcript

unit: ## Run the tests and count them
ifdef WEIR_CORPORA
	@echo "corpora: $(WEIR_CORPORA)"
else
	@echo "corpora: none, their tests are left out (set WEIR_CORPORA)"
endif
	@$(CARGO) xtask test --workspace --locked

demo: | toolchain ## Build weir and show the main job on the bundled example
	$(CARGO) build --release --locked --package weir
	@examples/demo.sh
	@examples/lab-demo.sh

demo-session: | testbed-toolchain ## Record a shell on a real cluster in namespaces, refuse one past the gateway, replay and verify; needs root
	@command -v openssl >/dev/null || apt-get install -qy --no-install-recommends openssl
	$(CARGO) build --release --locked --package weir
	@$(CARGO) xtask testbed up --nodes 1 -- examples/session-demo.sh

demo-live: | toolchain ## Leave the example running as a lab, and watch who talks to whom; needs root
	$(CARGO) build --release --locked --package weir
	@examples/lab-live.sh

bench: | toolchain ## Measure what the project promises
	$(CARGO) xtask bench all

# libFuzzer needs flags that stable Rust hides; docs/fuzzing.md. Without link-time optimisation it builds in
# half the time.
FUZZ_TARGETS := batch classifier flow ledger manifest recording replay spdy test_file websocket
FUZZ_SECONDS ?= 60
fuzz: $(CARGO_FUZZ) ## Run every fuzz target for FUZZ_SECONDS (60)
	@command -v c++ >/dev/null || { echo "a C++ compiler is missing: libFuzzer needs it" >&2; exit 1; }
	@for target in $(FUZZ_TARGETS); do \
	  mkdir -p fuzz/corpus/$$target; \
	  RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_LTO=off PATH="$(TOOLS)/bin:$$PATH" \
	    $(CARGO) fuzz run --fuzz-dir fuzz $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -rss_limit_mb=2048 -timeout=20 \
	    -dict=fuzz/dictionaries/$$target.dict; \
	done

$(CARGO_FUZZ): | toolchain
	$(CARGO) install cargo-fuzz --version $(CARGO_FUZZ_VERSION) --locked --root $(TOOLS)
