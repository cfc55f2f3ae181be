# Everything runs in .venv, made from hash-pinned lock files. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-wheel check bench fleet faults mutants lock clean

PYTHON ?= python3
LOCKING := --quiet --universal --generate-hashes --no-header --no-emit-index-url $(if $(UPGRADE),--upgrade)
TESTERS ?= 4 # processes; most tests wait for others most of the time
BIN := .venv/bin
export NO_GCE_CHECK := true
# Compiled once here; without compiled files each start would cost seconds.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 12

.venv/uv: # the installer, inside the environment: a fresh machine has none
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	@touch $@

.venv/installed: .venv/uv requirements.lock pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q src manifests/darkroom_manifests worker scheduler simulator migrations
	@touch $@

.venv/developing: .venv/installed requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements-dev.lock
	@touch $@

demo: .venv/installed ## render the example catalog with the simulator: free, no account
	@$(BIN)/darkroom --home .darkroom/demo run manifests/examples/catalog.csv --out out/demo --again || [ $$? -eq 3 ] # one row is meant to be refused

test: .venv/developing ## run all tests
	@$(BIN)/pytest -q -n $(TESTERS) --dist worksteal

test-wheel: .venv/developing ## run all tests against the built wheel, in an environment of its own
	@rm -rf dist .venv-wheel && $(PYTHON) -m venv --without-pip .venv-wheel
	@$(BIN)/hatchling build -t wheel -d dist
	@$(BIN)/uv pip install --quiet --python .venv-wheel/bin/python --compile-bytecode --require-hashes -r requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python .venv-wheel/bin/python --compile-bytecode --no-deps dist/*.whl
	@.venv-wheel/bin/pytest -q -n $(TESTERS) --dist worksteal -p no:cacheprovider

check: .venv/developing ## lint, types, layers, lock files
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml

bench: .venv/developing ## measure against scripts that users would write
	@$(BIN)/python -m benchmarks

fleet: .venv/developing ## rehearse production: PostgreSQL, Valkey, two workers, a scheduler
	@$(BIN)/python -m tests.fleet

faults: .venv/developing ## break everything at random for MINUTES (10), with SEED
	@$(BIN)/python -m tests.fault --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

mutants: .venv/developing ## plant bugs in a copy, and see the tests notice each
	@$(BIN)/python -m tests.mutants $(NAMES)

lock: .venv/uv ## resolve what changed of the dependencies; UPGRADE=1 resolves all anew
	@$(BIN)/uv pip compile $(LOCKING) pyproject.toml -o requirements.lock > /dev/null
	@$(BIN)/uv pip compile $(LOCKING) pyproject.toml --group dev -o requirements-dev.lock > /dev/null

clean: ## remove what was made here
	@rm -rf .venv .venv-wheel dist out .darkroom bench-results .mypy_cache .ruff_cache .pytest_cache
