# Each target sets up what it needs. `make PYTHON=python3.12 test` chooses the Python that .venv is made with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo eval test lint bench samplers bench-catalogue bench-render bench-train format train-smoke

setup: $(STAMP)

$(STAMP): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=/path/to/python3 ...")'
	@echo "Setting up $(VENV): once, a few minutes."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: $(STAMP)
	@$(BIN)/python -m training demo --out out/demo

eval: $(STAMP)
	@$(BIN)/python -m training evaluate run training/configs/evaluation/eval.yaml --out out/eval

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(STAMP)
	@$(BIN)/python -m tests.bench.run $(BENCH)

bench-catalogue: $(STAMP)
	@$(BIN)/python -m tests.bench.catalogue $(BENCH)

samplers: $(STAMP)
	@$(BIN)/python -m tests.bench.samplers

bench-render: $(STAMP)
	@$(BIN)/python -m training data bench-render $(BENCH)

bench-train: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m training bench $(BENCH)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train-smoke: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/training/test_smoke.py
