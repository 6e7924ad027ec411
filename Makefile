# One word for one job; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# behind a proxy that signs anew, the system knows its certificate; pip trusts the system by itself
export UV_SYSTEM_CERTS ?= 1

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv from the locked requirements

# Bytecode is compiled by `setup`, once: where PYTHONDONTWRITEBYTECODE is set, as in many images,
# every start of a task would else compile all that it imports, and take three times as long.
$(STAMP): requirements.lock pyproject.toml benchmarks/accuracy_data.lock
	@test -n "$(PYTHON)" || { echo "zhongtai needs Python 3.11, 3.12 or 3.13: none was found on PATH (make setup PYTHON=/path/to/python3)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.11'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock || { \
		echo "uv could not install: trying pip, which is slower but reads pip's own configuration"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -m compileall -q src dags
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --upgrade --target $(VENV)/data -r benchmarks/accuracy_data.lock
	@touch $@

demo: setup ## Run the whole platform on sample exports: Airflow, PostgreSQL, DuckDB
	@$(BIN)/zhongtai demo

down: ## Stop everything that demo started
	@if test -x $(BIN)/zhongtai; then $(BIN)/zhongtai down; else echo "nothing was running"; fi

test: setup ## Check format, lint and types, then run every test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sqlfmt --check --quiet dbt_project
	@$(BIN)/pytest -q -n 2 -m 'not slow'
	@$(BIN)/pytest -q -n 2 --dist loadfile -m slow

fuzz: setup ## Compare thousands of random histories of identity with full runs
	@ZHONGTAI_FUZZ_EXAMPLES=2000 $(BIN)/pytest -q -n 2 --timeout 0 tests/unit/test_identity_increments.py

faults: setup ## Kill, fail and interrupt every durable step; prints the figures: PART=1/4
	@ZHONGTAI_FAULTS=full ZHONGTAI_FAULTS_PART=$(PART) $(BIN)/pytest -q -n 2 --dist worksteal --timeout 0 tests/faults

simulate: setup ## Live a month of files, crashes and decisions beside a model of them: SEED=n
	@ZHONGTAI_SIMULATE_SEED=$(or $(SEED),1) ZHONGTAI_SIMULATE_DAYS=$(DAYS) ZHONGTAI_SIMULATE_PUBLISH=$(PUBLISH) \
		$(BIN)/pytest -q -s --timeout 0 tests/faults/test_simulation.py -k month

bench: setup ## Measure against floors in the same run; writes docs/benchmarks.md
	@$(BIN)/python -m benchmarks

accuracy: setup ## Measure who is found to be one person; writes docs/accuracy.md
	@$(BIN)/python -m benchmarks.accuracy

format: setup ## Format Python and SQL
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/sqlfmt --quiet dbt_project

lock: setup ## Resolve requirements.lock anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --group dev pyproject.toml -o requirements.lock

clean: down ## Remove the environment and the demo's home
	@rm -rf $(VENV) .zhongtai

.PHONY: help setup demo down test fuzz faults simulate bench accuracy format lock clean
