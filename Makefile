# RTE: what can be done here. `make` alone explains; each target is a few lines,
# longer ones are scripts in tools/. The tools are pinned in tools/go.mod.

TOOL     := go tool -modfile=tools/go.mod
FUZZTIME ?= 5000x
SOAKTIME ?= 10m
SOAKRUNS ?= 20
SOAKLIVES ?= 20000
VERSION  ?= dev
GOFILES  = $$(find . -name '*.go' -not -path '*/node_modules/*')

.DEFAULT_GOAL := help
.PHONY: help fmt deps format vet staticcheck lint test race fuzz bench gen generated catalog web dalib conformance bench-guard soak build ci

help: ## this list
	@echo 'RTE. See it live: go run ./cmd/rte demo'; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## everything, as CI does it; installs what it needs, stops at the first failure
	@tools/steps.sh deps format generated vet staticcheck lint bench-guard race fuzz catalog web dalib conformance

fmt: ## format the Go code
	@gofmt -s -w $(GOFILES) && $(TOOL) goimports -local rte -w $(GOFILES)

build: ## the program, as out/rte (VERSION=1.2.3 names it)
	@CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o out/rte ./cmd/rte && ls -l out/rte

deps: ## what the tests need beside Go and Node: a C compiler for -race, Chromium (Debian packages)
	@tools/deps.sh

format: ## fail if a Go file is not formatted
	@files=$$(gofmt -s -l $(GOFILES)); [ -z "$$files" ] || { printf 'not formatted, run make fmt:\n%s\n' "$$files"; exit 1; }

vet: ## go vet
	@go vet ./...

staticcheck: ## staticcheck
	@$(TOOL) staticcheck ./...

lint: ## the linters of .golangci.yml; the first build takes minutes
	@$(TOOL) golangci-lint run --allow-parallel-runners

race: ## the Go tests, with the race detector
	@go test -race -timeout 10m ./...

fuzz: ## every fuzz target with FUZZTIME inputs (5000x)
	@tools/fuzz.sh $(FUZZTIME)

gen: ## make everything that comes of internal/event/catalog.json
	@go generate ./internal/event

generated: ## the same; fail if the committed files were old
	@tools/generated.sh

catalog: ## other people's validators on the schemas, documents and types
	@cd tools/catalog && npm ci --no-audit --no-fund && npm test

web: ## test and build the pages; fail if the committed ones were old
	@tools/pages.sh

dalib: ## DAClientLib: types, bundles, package, and tests in Node and Chromium against the real program; fail if the committed bundles were old
	@tools/dalib.sh

conformance: ## Microsoft's released SignalR clients against the real program and test hubs
	@cd conformance && npm ci --no-audit --no-fund && npm test

bench: ## the Go benchmarks; compare two outputs with: go tool -modfile=tools/go.mod benchstat OLD NEW
	@go test -run '^$$' -bench . -benchmem ./...

bench-guard: ## fail if a key benchmark allocates more than committed
	@tools/bench-guard.sh

soak: ## by hand, hours: the long forms of tests and fuzzing, SOAKTIME (10m) each, SOAKLIVES (20000) lives of connections, and the Go tests SOAKRUNS (20) times in random order
	@RTE_SOAK=$(SOAKTIME) go test -run 'Killed|Memory|DiskFull|Lossless|ResumeMany|Stalled' -v -timeout 8h ./cmd/rte
	@RTE_SOAK=$(SOAKTIME) go test -race -run 'Follow(Losses|Cut|KilledLeader|FrozenLeader)' -v -timeout 8h ./internal/bus
	@go test -race -shuffle on -count $(SOAKRUNS) -timeout 8h ./...
	@RTE_SOAK=$(SOAKTIME) go test -run IdleMonth -v ./signalr/hub
	@go test -race -run Interleavings ./signalr/hub -resume.rounds $(SOAKLIVES)
	@go test -race -run AgainstModel ./internal/fanout -fanout.rounds $(SOAKLIVES)
	@tools/fuzz.sh $(SOAKTIME)

ci: ## what the build server runs
	@bash .ci/run
