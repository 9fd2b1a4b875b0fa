# Everything that a developer or a user runs. `make help` lists it.

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Scenario tests that run side by side, each with a lab of its own.
LABS        ?= 2

# Open vSwitch's daemons are where a plain user's PATH does not look.
export PATH := $(PATH):/usr/sbin:/sbin

.NOTPARALLEL:
.PHONY: help build test unit scenarios smoke lint demo bench generate clean

help: ## show this
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

build: ## build bin/dovetail
	$(GO) build -o bin/dovetail ./cmd/dovetail

test: lint unit scenarios smoke ## install what is missing and run every test; needs root
	@echo "all tests passed"

unit: ## the tests of single packages, with the race detector
	@./hack/deps.sh test
	$(GO) test -race -timeout 15m $$($(GO) list ./... | grep -v '/integration$$')

scenarios: ## the scenarios on real Open vSwitch hosts
	@./hack/deps.sh test
	$(GO) test -count=1 -timeout 15m -parallel $(LABS) ./integration

smoke: build ## the demo, and whether it shows what it should
	@./hack/deps.sh run
	@./hack/smoke.sh

lint: ## go vet, gofmt and staticcheck
	@bad=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .); test -z "$$bad" || { echo "gofmt -w these files:"; echo "$$bad"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

demo: build ## show the main job on three hosts; needs root
	@./hack/deps.sh run
	@./hack/demo.sh

bench: build ## run the benchmarks (35 minutes, alone on the machine; needs root); the figures are also written to bin/bench.json
	@./hack/deps.sh bench
	$(GO) build -o bin/bench ./integration/bench
	bin/bench -o bin/bench.json all

generate: ## write docs/pipeline.md, docs/openapi.json and golden files anew
	$(GO) test ./pipeline ./rest -update

clean: ## remove what was built, and labs that killed tests have left
	-@[ "$$(id -u)" -ne 0 ] || $(GO) run ./cmd/dovetail lab down --left
	rm -rf bin
