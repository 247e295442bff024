# PyAgent: `make` alone lists what there is. Every target sets up what it needs, once.

SHELL := /bin/bash
PYTHON ?= $(firstword $(wildcard .venv/bin/python) python3)
BIN := .venv/bin
CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pyagent/cargo-target
export CARGO_TARGET_DIR
# Without compiled files every start pays for the imports again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | \
	  while IFS=$$'\t' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done
	@echo
	@echo '  make run REPO=path/or/name==version   any Python repository or published source distribution'
	@echo '  make run ONCE=1                       end after the run, with its exit code'
	@echo '  make run YES=1                        do not ask before running the code of REPO'

.PHONY: setup
setup: ## make the environment: packages, project, Rust module
	@$(PYTHON) scripts/setup.py

.PHONY: run
run: setup ## test, audit and document a real repository, live (REPO=, ONCE=1, YES=1, PORT=)
	@scripts/run

.PHONY: test
test: setup ## fast tests
	@$(BIN)/pytest -m 'not integration' -n 2 --dist loadfile
	@scripts/test-rust
	@scripts/test-web

.PHONY: integration
integration: setup ## slow tests: real packages, real servers, kills, browsers
	@$(BIN)/pytest -m integration -n 2 --dist loadfile --no-loadscope-reorder
	@scripts/test-browser

.PHONY: chaos
chaos: setup ## an hour at most: thousands of random runs under faults, workers killed on both stores (ARGS="--first 7 --cases 1 --kills 0")
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

.PHONY: bench
bench: setup ## how fast it is beside its peers, measured in the same run (ONLY="P1 P2")
	@PYTHONPATH=tests $(BIN)/python -m bench $(ONLY)

.PHONY: compare-n8n
compare-n8n: setup ## clicks and keys of common tasks in the designer and in n8n, where that is installed
	@cd web && node_modules/.bin/playwright test -c e2e/n8n/playwright.config.ts

.PHONY: lint
lint: setup ## ruff, pyright, import contracts, clippy, TypeScript
	@scripts/lint

.PHONY: fmt
fmt: setup ## format and fix what can be fixed safely
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@cargo fmt --manifest-path rust_core/Cargo.toml --all

.PHONY: gen
gen: setup ## write the generated files
	@$(BIN)/python scripts/generate.py

.PHONY: verify
verify: setup ## check that generated files and requirements are current; writes nothing
	@$(BIN)/python scripts/generate.py --check

.PHONY: lock
lock: setup ## pin what pyproject.toml now asks for, other pins unchanged
	@scripts/lock

.PHONY: update
update: setup ## pin the newest versions that pyproject.toml allows
	@scripts/lock --upgrade

.PHONY: clean
clean: ## remove the environment and everything built in this folder
	rm -rf .venv .cache .work .bench .pytest_cache .ruff_cache .hypothesis build dist
	find engine nodes flows tests scripts -name __pycache__ -prune -exec rm -rf {} +
