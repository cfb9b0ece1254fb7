# Walkaround. `make help` lists what can be made.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# The first Python that TensorFlow has wheels for; `make PYTHON=...` names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
INSTALL := VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet

.PHONY: help setup demo test main-job faults soak check format lock bench bench-sql simulate up clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "Walkaround needs Python 3.11, 3.12 or 3.13, and none was found; name one: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.run: requirements-cpu.txt pyproject.toml | $(BIN)/uv
	@echo "Setting up $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements-cpu.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "Adding the development tools to $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.dev  ## make .venv with everything, locked by hash

lock: | $(BIN)/uv  ## resolve the requirements again
	@for set in "cpu --extra cpu" "gpu --extra gpu" "dev --extra cpu --extra train --extra parquet --extra openvino --group dev"; do \
	  set -- $$set; file=requirements-$$1.txt; shift; \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate $$* -o $$file pyproject.toml; done
	@echo 'flower>=2.2,<2.3' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  -c requirements-cpu.txt -o requirements-flower.txt -

demo: $(VENV)/.run  ## run the main job on rendered sample returns, nothing else to install
	@$(BIN)/walkaround scan demo --out build/demo
	@echo
	@echo "Now with your own photos:   $(BIN)/walkaround scan FOLDER      (FOLDER/VEHICLE/RETURN/photo.jpg; see README.md)"
	@echo "The verdicts as SQL:        sqlite3 build/demo/walkaround.sqlite 'select * from current_verdict'"

test: $(VENV)/.dev  ## run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

main-job: $(VENV)/.dev  ## the main job's tests with all the real returns, not a sixth of them (half an hour)
	@WALKAROUND_TEST_RETURNS='R*' $(BIN)/python -m pytest tests/integration/test_main_job.py --durations=0

faults: $(VENV)/.dev  ## run the whole fault plan and write build/faults.json (see docs/reliability.md)
	@rm -rf build/faults
	@FAULTS_EXAMPLES=60 FAULTS_STEPS=50 $(BIN)/python -m pytest -n 2 -m "faults or not faults" --timeout 900 tests/faults
	@$(BIN)/python -m tests.faults.figures

soak: $(VENV)/.dev  ## break everything at random for MINUTES (default 60), by SEED
	@FAULTS_SOAK_MINUTES=$(or $(MINUTES),60) FAULTS_SEEDS=$(or $(SEED),1) $(BIN)/python -m pytest -m faults tests/faults/test_mixed.py
	@$(BIN)/python -m tests.faults.figures

check: $(VENV)/.dev  ## format, lint, types, import contracts, mirrored tests, compose file, locks
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pydoclint core db reports workers web cli
	@$(BIN)/mypy core db reports workers web cli demo studies tests
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.mirrored
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml compose.nodes.yml compose.gpu-node.yml
	@! grep -nE 'https?:|file:' requirements-*.txt

format: $(VENV)/.dev  ## format the code and mend what lint can
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev  ## measure, as ratios side by side in one run; PARTS="pipeline ..." the long ones, PARTS=--help lists them
	@$(BIN)/python -m tests.benchmarks $(PARTS) $(if $(SMALL),--small)
	@$(BIN)/python -m tests.benchmarks.figures

bench-sql: $(VENV)/.dev  ## measure the reports' SQL at a million returns: some 20 minutes, 10 GB of disk
	@$(BIN)/python -m tests.benchmarks.sql

simulate: $(VENV)/.dev  ## compute nodes, servers and costs for fleets of any size into docs/scaling.md
	@$(BIN)/python -m studies.scaling

up: $(VENV)/.run  ## watch the folder PHOTOS (default: photos/) and classify what comes
	@mkdir -p $(or $(PHOTOS),photos)
	@$(BIN)/walkaround up $(or $(PHOTOS),photos)

clean:  ## remove what was made, the environment too
	rm -rf $(VENV) build walkaround-out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
