# `make demo` installs what a harvest needs and shows one; `make test` checks what every commit
# needs, `make proofs` the rest.
PYTHON ?= python3
VENV ?= .venv
PROOFS ?= .venv-proofs
BIN = $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
# Else each of the test processes compiles all tests anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test estimate lint types tests proofs readme clean

$(VENV)/.harvest: requirements.txt
	@$(PYTHON) -c 'import mplus_crawler'
	$(PYTHON) -m venv $(VENV)
	@.ci/install $(VENV) $^
	@touch $@

$(VENV)/.ready: $(VENV)/.harvest requirements-dev.txt
	@.ci/install $(VENV) requirements-dev.txt
	@touch $@

demo: $(VENV)/.harvest
	@sh demo.sh

test: estimate lint types tests

estimate:
	@echo "ruff, mypy and the tests of every commit: five minutes on two cores; the first time installs 600 MB"

lint: $(VENV)/.ready
	ruff check .
	ruff format --check .

types: $(VENV)/.ready
	mypy

tests: $(VENV)/.ready
	python -m pytest --numprocesses 4 --quiet --durations 10 -m "not long"

# Tests that take many seconds; then heavy programs that know nothing of this project read what it
# writes. Debian's chromium, chromium-driver, libreoffice-calc, r-base-core and
# r-cran-rsqlite are needed too.
proofs: $(VENV)/.ready $(PROOFS)/.ready
	python -m pytest --numprocesses 4 --quiet -m long
	PROJECT_PYTHON=$(abspath $(BIN)/python) $(PROOFS)/bin/python -m pytest --quiet proofs

$(PROOFS)/.ready: requirements-proofs.txt
	$(PYTHON) -m venv $(PROOFS)
	@.ci/install $(PROOFS) requirements-proofs.txt
	@touch $@

readme: $(VENV)/.ready
	python -m tests.readme_tables

# What a harvest wrote stays: data/, demo/.
clean:
	rm -rf $(VENV) $(PROOFS) .mypy_cache .pytest_cache .ruff_cache .hypothesis
