# Two commands on a fresh machine: `make demo` and `make test`. Nothing but Python 3.11+ and make is needed before.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked
# Set to 1 to let the demo end by itself instead of serving until Ctrl-C.
ONCE ?=
# Compiled modules are kept: without them every process of the scheduler and every command compiles for seconds anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check format lint types floors lock clean bench

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  make demo ONCE=1 ends by itself; make demo SCALE=0.1 makes a smaller city; SCALE=city the catalogue of a large one"

# uv comes first, by pip and by hash; it then installs the whole lock, by hash, several times as fast as pip.
$(STAMP): requirements.lock requirements-bootstrap.lock setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Zhengtong needs Python 3.11 to 3.13, this is %d.%d. Set PYTHON=/path/to/python3.11." % sys.version_info[:2])'
	@echo "Setting up $(VENV), once … 首次准备运行环境……" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Set up and run a small city end to end, then serve until Ctrl-C
	@$(BIN)/zhengtong demo $(if $(ONCE),--once) $(if $(SCALE),--scale $(SCALE))

test: $(STAMP) ## Set up and run the tests
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(STAMP) format lint types floors test ## Everything CI runs: format, lint, types, floors, tests

format: $(STAMP) ## Fail when a file is not formatted
	$(BIN)/ruff format --check .

lint: $(STAMP) ## Lint
	$(BIN)/ruff check .

types: $(STAMP) ## Check types
	$(BIN)/mypy

floors: $(STAMP) ## Check that packages import only from floors below
	$(BIN)/lint-imports

lock: $(STAMP) ## Resolve setup.cfg anew into requirements.lock, with hashes
	$(BIN)/uv pip compile setup.cfg --all-extras --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --output-file requirements.lock
	echo "uv" | $(BIN)/uv pip compile - --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --output-file requirements-bootstrap.lock

bench: $(STAMP) ## Run every benchmark, quickly
	@for b in bench/*.py; do echo "== $$b"; $(BIN)/python $$b --quick || exit 1; done

clean: ## Remove what was built or run; sources stay
	rm -rf var $(VENV) build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
