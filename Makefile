# `make` alone lists what can be done.
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

$(READY): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "agentkit needs Python 3.11 or newer; install it, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Preparing .venv with $$($(PYTHON) --version) (once; some minutes) ..."
	@$(PYTHON) -m venv --clear .venv 2>/dev/null || { \
		$(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python .venv/bin/python install -q pip; } || { \
		echo "agentkit: $(PYTHON) has neither ensurepip nor pip: install its venv package (python3-venv on Debian)" >&2; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

setup: $(READY) ## the environment in .venv/, from pinned dependencies

model: $(READY) ## the embedded model, fetched and verified
	@$(BIN)/agentkit models pull

demo: model ## the guided tour on real data
	$(BIN)/agentkit demo

test: model ## the tests (under 15 minutes on 2 cores)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: model ## all tests, the slow ones too
	$(BIN)/python -m pytest

lint: $(READY) ## ruff and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: model ## measure; figures go into docs/benchmarks.md
	$(BIN)/python -m evals.bench

eval: model ## conversations with the agent, and questions in words to tables: how many go as they should
	$(BIN)/agentkit eval agent
	$(BIN)/python -m evals.bench sql

pins: $(READY) ## write requirements.txt anew from pyproject.toml
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --extra local --extra ml --extra rag --group dev --upgrade \
		--generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements.txt

clean: ## remove what was built
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache

.PHONY: help setup model demo test test-all lint bench eval pins clean
