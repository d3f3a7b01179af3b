# Peerlab. The two that matter: `make run` and `make test`.

GO       ?= go
GOLANGCI ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# Debian packages the tests use, and a program that shows each one is there.
PACKAGES := chromium:chromium nftables:nft iproute2:ip conntrack:conntrack \
            coturn:turnutils_uclient miniupnpd-nftables:miniupnpd netcat-openbsd:nc curl:curl tshark:tshark bind9-dnsutils:dig nghttp2-client:h2load nodejs:node npm:npm

.PHONY: run test tools check unit e2e generate lint bench fuzz build help

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

run: ## build and start the server on :8080
	$(GO) run ./cmd/server

build: ## static binaries in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/ ./cmd/server ./cmd/peer

test: tools check unit e2e ## all that CI runs: tools, checks, unit tests, whole-program tests

tools: ## install what the tests need, where we may
	@sh e2e/install.sh $(PACKAGES)
	@npm ci --no-audit --no-fund --loglevel=error

check: ## formatting, vet, generated files, types
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	@$(MAKE) --no-print-directory generate
	@git diff --exit-code --stat -- '*_templ.go' || { echo 'generated pages are stale: run make generate and commit'; exit 1; }
	npm run --silent check

unit: ## unit tests with the race detector, and the browser modules under Node
	npm test --silent
	$(GO) test -race -timeout 8m $$($(GO) list ./... | grep -Ev '^peerlab/(e2e|lab)')
	$(GO) test -race -timeout 8m -p 1 ./lab/... # one at a time: labs measure

e2e: ## real browsers, real NATs, real clients (root on Linux, for network namespaces)
	$(GO) test -p 1 -timeout 12m -count=1 ./e2e/...

generate: ## pages from their templates
	@$(GO) tool templ generate -log-level error -path web

lint: ## the wider linter (built on first use: a few minutes)
	$(GO) run $(GOLANGCI) run ./...

fuzz: ## each fuzz target for 20 s, none of it for making inputs smaller
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | cut -c6-); do \
	    echo "== $$pkg $$f"; $(GO) test $$pkg -run '^$$' -fuzz "^$$f\$$" -fuzztime 20s -fuzzminimizetime 1x || exit 1; done; done

bench: ## figures: relay beside coturn, data channels, join to open, idle sockets
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v /e2e)
	PEERLAB_BENCH=1 $(GO) test -timeout 30m -count=1 -v -run '^TestBench' ./e2e/...
