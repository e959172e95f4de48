# `make demo` shows a harvest, `make test` passes everything; both make the environment first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: demo test lint types tests readme clean

$(VENV)/.ready: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import mplus_crawler'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --requirement requirements-dev.txt
	touch $@

demo: $(VENV)/.ready
	sh demo.sh

test: lint types tests

lint: $(VENV)/.ready
	ruff check .
	ruff format --check .

types: $(VENV)/.ready
	mypy

tests: $(VENV)/.ready
	python -m pytest --numprocesses 4 --quiet

readme: $(VENV)/.ready
	python -m tests.readme_tables

clean:
	rm -rf $(VENV) data .mypy_cache .pytest_cache .ruff_cache .hypothesis
