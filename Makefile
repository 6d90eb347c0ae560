# Needs Python 3.11 or later and make. Everything is put into .venv, from the lock files, once.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

.PHONY: help demo test nightly lint bench docs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: .venv/.runtime ## A simulated store's history arrives in a simulated Brevo
	@$(BIN)/tajo demo

test: .venv/.dev ## All tests, on SQLite, on a PostgreSQL of their own and in Chromium
	@scripts/postgres
	@scripts/chromium
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal

nightly: .venv/.dev ## A thousand storms of each kind, in an hour or so
	@TAJO_STORMS=1000 $(BIN)/python -m pytest -q -n 2 --timeout 7200 tests/storms

lint: .venv/.dev ## Style, format, types, and known vulnerabilities of what is locked
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@scripts/audit

bench: .venv/.dev ## Calls, time and memory against the limits' floor
	@$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/.dev ## Write the reference of the commands into docs/cli.md
	@$(BIN)/python -m tests.test_docs_cli

lock: .venv/.dev ## Compile the lock files from pyproject.toml anew
	@$(INSTALL) uv
	@$(BIN)/uv $(LOCK) pyproject.toml --output-file requirements.lock
	@$(BIN)/uv $(LOCK) pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock
	@$(BIN)/uv $(LOCK) --group build --output-file requirements-build.lock

clean: ## Remove .venv and the caches
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

.venv/.made:
	@for python in python3.11 python3.12 python3.13 python3.14 python3; do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			$$python -m venv .venv && touch $@; break; \
		fi; \
	done; \
	test -e $@ || { echo 'Python 3.11 or later with venv is needed; on Debian: apt-get install python3-venv' >&2; exit 1; }

.venv/.runtime: .venv/.made requirements.lock pyproject.toml
	@echo 'Installing what Tajo needs into .venv ...' >&2
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo 'Installing what its tests need into .venv ...' >&2
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
