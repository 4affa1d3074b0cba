# The front door. `make` alone lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venvs/airflow-3/bin
BIN2 := .venvs/airflow-2/bin
# Tests that also run on Airflow 2.11: everything that touches Airflow, and the wire below it.
BOTH_LINES := tests/hooks tests/operators tests/sensors tests/triggers tests/dags
PYTEST := -n 2 --dist worksteal -q

.DEFAULT_GOAL := help
.PHONY: help demo ui test lint types imports unit unit-2 airflow packaging docs bench constraints clean

help: ## List what make can do
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## Run the main job in a real Airflow 3 against the emulator, once well and once with a failed check
	@$(PYTHON) dev/demo.py

ui: ## Leave that Airflow running, to look around in
	@$(PYTHON) dev/demo.py --ui

test: lint types imports unit unit-2 packaging docs airflow ## Run all checks and tests

$(BIN)/python: setup.cfg .ci/constraints-airflow-3.txt
	@$(PYTHON) dev/environments.py airflow-3
	@touch $@

$(BIN2)/python: setup.cfg .ci/constraints-airflow-2.txt
	@$(PYTHON) dev/environments.py airflow-2
	@touch $@

lint: $(BIN)/python ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/python ## Check types
	$(BIN)/mypy

imports: $(BIN)/python ## Check that imports point one way
	$(BIN)/lint-imports

unit: $(BIN)/python ## Run the tests that need no running Airflow, on Airflow 3
	$(BIN)/pytest $(PYTEST) --ignore tests/airflow --ignore tests/packaging --cov=airflow_provider_drs --cov-report= tests
	$(BIN)/coverage report --include='airflow_provider_drs/protocol/*' --fail-under=100
	$(BIN)/coverage report --omit='airflow_provider_drs/protocol/*' --fail-under=90

unit-2: $(BIN2)/python ## Run the tests of the Airflow face on Airflow 2.11
	$(BIN2)/pytest $(PYTEST) $(BOTH_LINES)

airflow: $(BIN)/python $(BIN2)/python ## Run the example DAGs in a whole Airflow, 2.11 and 3.x
	$(BIN)/pytest -q tests/airflow

packaging: $(BIN)/python $(BIN2)/python ## Build the wheel, and try it where nothing else is installed
	$(BIN)/pytest -q tests/packaging

docs: $(BIN)/python ## Build the documentation; a warning is an error
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

bench: $(BIN)/python ## Measure what benchmarks/README.md claims
	$(PYTHON) benchmarks/run.py

constraints: $(BIN)/python ## Resolve all dependencies anew
	$(PYTHON) dev/environments.py --resolve

clean: ## Remove everything that can be made again
	rm -rf .venvs docs/_build build dist .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
