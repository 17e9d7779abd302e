# PrestaConsole: `make demo` shows it, `make test` proves it. Needs Python 3.11 or newer, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
STAMP  := $(VENV)/.installed
CORES  := 2

.PHONY: demo console test slow slow-together slow-alone again lint types layers check install pictures clean help

help:
	@echo "make demo                    the console on a throw-away database with two simulated shops"
	@echo "make demo ARGS=--headless    the same road without a screen: prints a summary and ends"
	@echo "make test                    every test that needs no server of its own (under 10 minutes)"
	@echo "make slow                    chaos, soak, size and kill tests (under 40 minutes)"
	@echo "make again                   the tests that failed last, one after another"
	@echo "make check                   lint, types and layers"
	@echo "make pictures                the pictures of the documentation, exported by the console"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "PrestaConsole needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[postgres]' --group dev
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	@$(BIN)/prestaconsole demo $(ARGS)

console: $(STAMP)
	@$(BIN)/prestaconsole $(ARGS)

test: $(STAMP)
	@$(BIN)/python -m pytest -n $(CORES) -m "not slow" $(ARGS)

slow: slow-together slow-alone

slow-together: $(STAMP)
	@$(BIN)/python -m pytest -n $(CORES) -m "slow and not alone" $(ARGS)

slow-alone: $(STAMP)
	@$(BIN)/python -m pytest -m "slow and alone" $(ARGS)

again: $(STAMP)
	@$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy

layers: $(STAMP)
	@$(BIN)/lint-imports

check: lint types layers

pictures: $(STAMP)
	@$(BIN)/python -m tests.support.pictures

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .import_linter_cache
