# Everything that a checkout can do. Needs Python 3.11 or newer with pip, and make.
#
#   make setup    environment in .venv (once; quick when up to date)
#   make demo     documents in, a cited answer out, on this machine
#   make demo-reembed   a second model on the demo's text: filled, evaluated, cut over, rolled back
#   make test     every test but the long ones     make chaos   the long ones
#   make lint     style, types, boundaries, drift  make bench   measurements
#   make docs     regenerate the reference pages   make clean   remove caches and the environment
#   make conformance   the embedded broker beside Apache Kafka (needs KAFKA_HOME), into docs/reference
#   make fuzz     bytes of the fuzzer's choice at the embedded broker, FUZZ_SECONDS per target (60)
#
# PYTHON=python3.12      the interpreter that .venv is made from
# CHAOS_SEED=17          of the long tests, only these storms: 17, 1-50, 3,7,20-25
# WORKERS=4              how many tests run at a time, a file each (default 3: most of their time is waiting)
# BENCH=pipeline         of the benchmarks, only those whose name holds one of these words
# TORCH_INDEX=URL        where torch comes from (default: a CPU build where one can be had; `plain`: what pip takes)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/roggia-setup
CODE := schemas services infra tests
PYTEST_ARGS ?=
WORKERS ?= 3
FUZZ_SECONDS ?= 60
DEMO_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-reembed test lint bench chaos docs lock clean conformance fuzz

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt infra/setup/install.py
	@$(PYTHON) infra/setup/install.py --venv $(VENV)

demo: setup
	@$(BIN)/roggia demo $(DEMO_ARGS)

demo-reembed: setup
	@$(BIN)/roggia demo --reembed $(DEMO_ARGS)

test: setup
	$(BIN)/python -m pytest -m "not chaos and not bench" --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder \
		$(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m roggia_schemas.generate --check
	$(BIN)/python -m roggia.reference --check
	$(BIN)/python infra/docs/links.py

bench: setup
	$(BIN)/python -m tests.bench.run $(BENCH)

chaos: setup
	$(if $(CHAOS_SEED),ROGGIA_CHAOS_SEED=$(CHAOS_SEED)) $(BIN)/python -m pytest -m chaos --timeout 1800 \
		$(if $(CHAOS_SEED),tests/chaos/storm) $(PYTEST_ARGS)

docs: setup
	$(BIN)/python -m roggia_schemas.generate
	$(BIN)/python -m roggia.reference
	$(BIN)/python infra/docs/links.py

conformance: setup
	$(BIN)/python -m tests.contract.kafka.answers.table

fuzz: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt -e ".[fuzz]"
	$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS)

lock: setup
	$(BIN)/python infra/setup/lock.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
