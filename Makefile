# One page of commands; `make help` lists them. Needs Python 3.11 (or 3.12) and make, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
GPU_VENV := .venv-gpu
GPU_STAMP := $(GPU_VENV)/.installed
MR := $(BIN)/mr
export MR_HOME ?= ./data
# tests are spread over this many processes; a file stays on one of them (module fixtures)
WORKERS ?= 2

# the first interpreter that runs, is 3.11 or 3.12 and can make an environment
FIND_PYTHON = for candidate in $${PYTHON:-} python3.11 python3 python3.12; do \
	  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1; \
	  then echo "$$candidate"; exit 0; fi; done; \
	echo "make: no Python 3.11 or 3.12 with venv was found on PATH. Install one (Debian: python3.11-venv) or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1

# hashes in a constraints file are verified for every package it names, build tools included
INSTALL = pip install --compile-bytecode --editable

.PHONY: help
help: ## List every target
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Make .venv and install everything, hashes verified, bytecode compiled

# the installer itself is pinned and verified by the constraints file, with the interpreter's own pip
%/bin/uv:
	@[ -x $*/bin/python ] || { python="$$($(FIND_PYTHON))"; "$$python" -m venv $*; }
	@sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > $*/uv-pin.txt
	@echo "making $*"; $*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $*/uv-pin.txt

$(STAMP): pyproject.toml constraints.txt | $(BIN)/uv
	$(BIN)/uv $(INSTALL) '.[dev]' --python $(BIN)/python -c constraints.txt -b constraints.txt
	$(BIN)/python -m compileall -q mr_platform mr_platform_tests
	@touch $@

$(GPU_STAMP): pyproject.toml constraints-gpu.txt | $(GPU_VENV)/bin/uv
	$(GPU_VENV)/bin/uv $(INSTALL) '.[gpu,dev]' --python $(GPU_VENV)/bin/python \
	  -c constraints-gpu.txt -b constraints-gpu.txt
	$(GPU_VENV)/bin/python -m compileall -q mr_platform mr_platform_tests
	@touch $@

.PHONY: demo
demo: $(STAMP) ## Run the graph over several days of data and print a summary (MR_HOME=./data)
	$(MR) demo

.PHONY: ui
ui: $(STAMP) ## Start Dagster (webserver and daemon) on the same data
	$(MR) ui || [ $$? -eq 130 ] # Ctrl-C is how it is meant to end

# Rooms with a coverage floor (pyproject.toml names them) are measured by their own tests alone:
# measuring makes the plain loops of the features' reference four times as slow.
MEASURED := $(addprefix mr_platform_tests/,chain registry simulation config pictures portfolio \
  test_errors.py test_trading_calendar.py)
# One more process than WORKERS beside the end-to-end tests, which mostly wait for servers.
# Files run in the order they are collected in (conftest.py), not by their number of tests.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: test
test: lint types ## Lint, types, and all tests but the slow ones, with the coverage floor of the pure rooms
	$(PYTEST) -m "not slow" $(MEASURED) --cov
	$(PYTEST) -n $$(( $(WORKERS) + 1 )) -m "not slow" $(addprefix --ignore=,$(MEASURED))

.PHONY: test-full
test-full: lint types ## As test, with the slow proofs
	$(PYTEST) $(MEASURED) --cov
	$(PYTEST) $(addprefix --ignore=,$(MEASURED))

.PHONY: test-gpu
test-gpu: $(GPU_STAMP) ## Make .venv-gpu (about 5 GB) and run the GPU tests; needs an NVIDIA device
	MR_REQUIRE_GPU=1 $(GPU_VENV)/bin/python -m pytest mr_platform_tests/gpu

.PHONY: lint
lint: $(STAMP) ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(STAMP) ## Check types
	$(BIN)/mypy mr_platform

.PHONY: format
format: $(STAMP) ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: ddl
ddl: $(STAMP) ## Render ddl/ from the registry
	$(BIN)/python -m mr_platform.registry.render

.PHONY: snapshot
snapshot: $(STAMP) ## Record the asset graph after a wanted change (keys, groups, deps, checks, jobs)
	MR_UPDATE_SNAPSHOT=1 $(BIN)/python -m pytest mr_platform_tests/architecture/test_asset_graph.py

.PHONY: lock
lock: $(BIN)/uv ## Resolve both constraints files anew; UPGRADE=--upgrade takes newer releases
	$(LOCK) --extra gcp --extra docker --extra dev --output-file constraints.txt
	$(LOCK) --extra gpu --extra dev --output-file constraints-gpu.txt
	sed -i '1i # Made by `make lock` from pyproject.toml: every extra but gpu. Names, versions, hashes.' constraints.txt
	sed -i '1i # Made by `make lock` from pyproject.toml: the GPU worker. Names, versions, hashes.' constraints-gpu.txt

# names, versions and hashes only, for every platform: no address, no path, no note of who asked
LOCK = $(BIN)/uv pip compile pyproject.toml $(UPGRADE) --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links

.PHONY: bench
bench: $(STAMP) ## Print the benchmarks: ingest against pandas, range runs, features, portfolios, memory
	$(BIN)/python -m mr_platform_tests.benchmarks.bench_ingest
	$(BIN)/python -m mr_platform_tests.benchmarks.bench_range_runs
	$(BIN)/python -m mr_platform_tests.benchmarks.bench_features
	$(BIN)/python -m mr_platform_tests.benchmarks.bench_strategy_files
	$(BIN)/python -m mr_platform_tests.benchmarks.bench_correlation
	$(BIN)/python -m mr_platform_tests.benchmarks.bench_search

.PHONY: bench-full
bench-full: $(STAMP) ## The long forms: 100,000 strategies x 1,000 rows, ten seeds of every search
	$(BIN)/python -m mr_platform_tests.benchmarks.bench_strategy_files --large
	$(BIN)/python -m mr_platform_tests.benchmarks.bench_search --full

.PHONY: screenshots
screenshots: $(STAMP) ## Take the README's pictures from a running UI (needs Chromium on PATH)
	$(BIN)/python docs/screenshots.py

.PHONY: clean
clean: ## Remove environments, caches and build output; data stays
	rm -rf $(VENV) $(GPU_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage coverage.xml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -maxdepth 1 -name '*.egg-info' -type d -exec rm -rf {} +
