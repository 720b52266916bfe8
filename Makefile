# A fresh clone needs nothing but Python: every target makes its own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
DRIFT_PEERS := .venv-drift-peers

.PHONY: test dist test-matrix demo ui bench soak clean

# A process more than there are cores: a test that waits for a server leaves its core to another.
test: export TESTERS ?= $(shell echo $$(( $$(nproc) + 1 )))
test: $(VENV)/.for-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

# What is published, held against what the package index demands.
dist: $(VENV)/.for-test
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

# The contract on the oldest and the newest MLflow that setup.cfg admits, each on PYTHONS ("python3.10 python3.13").
test-matrix: export PYTHONS := $(PYTHONS)
test-matrix:
	$(PYTHON) tools/matrix.py

demo: $(VENV)/.for-use
	$(BIN)/python examples/governed_release.py

ui: $(VENV)/.for-use
	$(BIN)/python examples/governed_release.py --ui

bench: $(VENV)/.for-test $(PEERS)/.made
	@for script in benchmarks/bench_*.py; do echo "== $$script"; PEERS=$(PEERS)/bin/python $(BIN)/python $$script || exit 1; done

soak: $(VENV)/.for-test $(DRIFT_PEERS)/.made
	$(BIN)/pytest -m long
	@for script in benchmarks/soak_*.py; do echo "== $$script"; DRIFT_PEERS=$(DRIFT_PEERS)/bin/python $(BIN)/python $$script || exit 1; done

clean:
	rm -rf build demo dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.for-use: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(PEERS)/.made: benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet -r $<
	$(PEERS)/bin/python -m pip install --quiet --no-deps netcal==1.4.0
	@touch $@

$(DRIFT_PEERS)/.made: benchmarks/drift_peers.txt
	$(PYTHON) -m venv $(DRIFT_PEERS)
	$(DRIFT_PEERS)/bin/python -m pip install --quiet -r $<
	@touch $@

$(VENV)/.for-test: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[test]'
	@touch $@
