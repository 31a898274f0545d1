# What people and CI do with this repository. `make help` lists it.
#
# Build output lives outside the checkout, so that a fresh clone starts warm. Everything is
# built in one profile and for the whole workspace, since cargo builds a dependency again
# for every other set of features: so RocksDB is compiled once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dynamo
export CARGO_TARGET_DIR ?= $(CACHE)/target
BIN := $(CARGO_TARGET_DIR)/release
CARGO_FLAGS := --release --locked --workspace
SEEDS ?= 10000
KEYS ?= 1000000

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | awk -F: '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: prepare
prepare:
	@tools/prepare

.PHONY: build
build: prepare ## build all programs
	cargo build $(CARGO_FLAGS) --bins

.PHONY: run
run: build ## a ring of 5 nodes on this machine, tried out; ONCE=1 ends afterwards
	@$(BIN)/dynamo-try $(if $(ONCE),--once)

.PHONY: test
test: build ## all tests that need no Kubernetes
	cargo test $(CARGO_FLAGS)

.PHONY: sim
sim: build ## simulated clusters with faults; SEEDS=n START=s, or START=random
	$(BIN)/dynamo-sim --seeds $(SEEDS) $(if $(START),--start $(START))

.PHONY: mutants
mutants: prepare ## known bugs put back: does the simulator notice? NAMES="a b"
	tools/mutants $(NAMES)

.PHONY: bench
bench: build ## what background work costs, on an otherwise idle machine; KEYS=n
	$(BIN)/dynamo-bench hints --hints $(KEYS)
	$(BIN)/dynamo-bench repair --keys $(KEYS)

.PHONY: faults
faults: build ## real processes that are killed, paused, cut off, on bad disks; as root
	e2e/faults

.PHONY: lint
lint: prepare ## format, clippy, scripts
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	tools/tidy

.PHONY: generate
generate: build ## write the CRDs from the operator's types
	$(BIN)/crdgen --out crds
	mkdir -p charts/dynamo/files/crds
	cp crds/*.yaml charts/dynamo/files/crds/

.PHONY: generated
generated: generate
	@git diff --exit-code -- crds charts/dynamo/files || \
	  { echo "generated files differ from the types: commit what make generate wrote" >&2; exit 1; }

.PHONY: chart
chart: ## check the Helm chart
	e2e/kube/install
	charts/check

.PHONY: e2e
e2e: build ## the scenarios on a real Kubernetes of three machines, started here
	e2e/run

.PHONY: kube
kube: build ## leave such a Kubernetes up, with a cluster of 5 to try; kube-down ends it
	e2e/run --keep

.PHONY: kube-down
kube-down: ## end what make kube left up
	e2e/run --down

.PHONY: ci
ci: ## everything that must hold
	@tools/timed lint generated test "sim SEEDS=2000 START=random" faults "run ONCE=1" chart e2e
