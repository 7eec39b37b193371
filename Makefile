# `make run` and `make test` need Python 3.11 or newer and make, nothing else.
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip
UV_VERSION := 0.13.9
WEB := $(shell find web -type f -not -path '*/node_modules/*' 2>/dev/null)
# Compiled where there is a C compiler.
HOT := compiled.txt $(addprefix src/,$(shell cat compiled.txt))
ARGS ?=
# Tests wait more than they work: three times as many at once as there are cores here. Of whole nodes and browsers fewer:
# their tests hold them to seconds.
WORKERS ?= 6
NODES ?= 3
# One file whose parts are dealt out to all workers.
QUESTIONS := tests/api/test_schemathesis.py
MINUTES ?= 10
TESTS := $(shell find tests -name '*.py' 2>/dev/null)
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test checks packages swift lint types web fuzz bench format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Install the product into .venv (builds the console)

setup-dev: $(VENV)/.installed-dev ## The same with everything that tests and checks need

run: setup ## Start the product; with no camera of yours it shows a demo site
	@$(BIN)/perishield run $(ARGS)

test: setup-dev swift packages $(VENV)/.tests-compiled ## Run the tests (installs the Debian packages they need where it may)
ifeq ($(strip $(ARGS)),)
	@scripts/run-tests.sh -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore tests/e2e --ignore tests/web \
		--ignore $(QUESTIONS)
	@scripts/run-tests.sh -n 4 --dist load $(QUESTIONS)
	@scripts/run-tests.sh -n $(NODES) --dist loadfile --no-loadscope-reorder tests/e2e tests/web
else
	@$(PYTEST) -n $(WORKERS) --dist loadfile $(ARGS)
endif

checks: lint types web ## All that is checked without running the product

packages:
	@scripts/install-test-packages.sh

swift: $(VENV)/swift/.installed ## Install the object store that tests and fault suites talk to, apart from the rest

lint: setup-dev ## Style and floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: setup-dev ## mypy, strict
	$(BIN)/mypy

web: setup-dev ## Types and tests of the console
	cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent types
	cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent test

fuzz: setup-dev ## Feed nonsense to whatever reads foreign bytes (MINUTES=10 each)
	@$(BIN)/python tests/fuzz/fuzz.py --minutes $(MINUTES) $(TARGETS)

bench: setup-dev ## Recording beside ffmpeg, and start-up
	$(BIN)/perishield bench start --json
	$(BIN)/perishield bench ingest --json $(ARGS)

format: setup-dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup-dev ## Resolve the dependencies anew
	$(UV) compile -q --upgrade --no-emit-index-url --generate-hashes --universal --python-version 3.11 \
		pyproject.toml -o requirements.lock
	$(UV) compile -q --no-emit-index-url --generate-hashes --universal --python-version 3.11 \
		-c requirements.lock pyproject.toml --group dev -o requirements-dev.lock
	$(UV) compile -q --upgrade --no-emit-index-url --generate-hashes --universal --python-version 3.11 \
		tests/requirements-swift.in -o requirements-swift.lock

clean: ## Remove what was built
	rm -rf $(VENV) src/perishield/static src/.perishield_native $$(find src -name '*.so') web/node_modules .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "perishield needs Python 3.11 or newer; name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) has no venv; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(VENV)/.installed: $(VENV)/.uv pyproject.toml requirements.lock hatch_build.py hatch_native.py $(WEB) $(HOT)
	@echo "Installing (once; builds the console, about a minute)..."
	@$(UV) install -q --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	@$(UV) install -q --python $(BIN)/python --no-deps --reinstall -e .
	@$(BIN)/python -m compileall -q src/perishield
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@$(UV) install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

# Every worker would compile all tests anew. What is wrong with them is told by the run itself.
$(VENV)/.tests-compiled: $(VENV)/.installed-dev $(TESTS)
	@$(PYTEST) --collect-only -qq >/dev/null 2>&1 || true
	@touch $@

$(VENV)/swift/.installed: $(VENV)/.uv requirements-swift.lock
	@$(PYTHON) -m venv --without-pip --clear $(VENV)/swift
	@$(UV) install -q --python $(VENV)/swift/bin/python --require-hashes -r requirements-swift.lock
	@touch $@
