# The front door. `make` alone lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venvs/airflow-3/bin
BIN2 := .venvs/airflow-2/bin
# Written when the environment is complete.
ENV := .venvs/airflow-3/stamp
ENV2 := .venvs/airflow-2/stamp
# Tests that also run on Airflow 2.11: everything that touches Airflow, and the wire below it.
BOTH_LINES := tests/hooks tests/operators tests/sensors tests/triggers tests/dags tests/links tests/assets tests/report \
	tests/test_lineage.py tests/test_metrics.py tests/cli/test_connection.py
# The report page, on a running Airflow of each line, and in a browser. Chromium is installed if it is missing.
PAGE := tests/report/running
# Of the tests of security the one that needs a running Airflow.
SWEEP := tests/security/test_running_sweep.py
# Tests that share something slow to start are a group, and stay together.
PARALLEL := -n 2 --dist loadgroup
# The Airflows of tests/airflow and those of $(SWEEP) and $(PAGE), of two lines each, wait side by side.
WAITING := -n 4 --dist loadgroup
# Two rows of checks, side by side: one that computes, and one that waits for half of its time.
CHECKS := lint types imports licences audit unit unit-2 + test-cluster airflow packaging docs
# dev/checks/run.py reads it.
REPORT = --junit-xml=.run/reports/$@.xml

# Airflow is thousands of modules, and each of its parts imports most of them: compiled once, they are kept,
# whatever the machine would have.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-migration operations ui test lint types imports licences audit unit unit-2 airflow test-cluster packaging \
	docs benchmark keystone env constraints clean

help: ## List what make can do
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(ENV) ## Run the main job in a real Airflow 3 against the emulator, once well and once with a failed check
	@$(BIN)/python -m dev.demos.demo

demo-migration: $(ENV) ## Run a whole MySQL migration in a real Airflow 3 against the emulator, and show what DRS saw
	@$(BIN)/python -m dev.demos.demo_migration

operations: $(ENV) ## Count how many of the documented operations each part knows
	@$(BIN)/python -m dev.docs.coverage_table

ui: $(ENV) ## Leave an Airflow running with three reports on pre-checks: all passed, one failed, one waiting
	@$(BIN)/python -m dev.demos.ui

test: ## Run all checks and tests
	@$(PYTHON) -m dev.checks.run $(CHECKS)

.venvs/%/stamp: setup.cfg .ci/constraints-%.txt dev/environments.py
	@$(PYTHON) -m dev.environments $*
	@touch $@

lint: $(ENV) ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(ENV) ## Check types
	$(BIN)/mypy

imports: $(ENV) ## Check that imports point one way
	$(BIN)/lint-imports

licences: $(ENV) ## List the licences of what an installation brings along
	$(BIN)/python -m dev.checks.licenses

audit: $(ENV) ## Look for versions that were withdrawn, or have a known vulnerability
	$(BIN)/python -m dev.checks.audit

unit: $(ENV) ## Run the tests that need no running Airflow, on Airflow 3
	$(BIN)/pytest -q $(REPORT) $(PARALLEL) --ignore tests/airflow --ignore tests/packaging --ignore $(SWEEP) --ignore $(PAGE) --cov=airflow_provider_drs --cov-report= tests
	$(BIN)/coverage report --include='airflow_provider_drs/protocol/*' --fail-under=100
	$(BIN)/coverage report --omit='airflow_provider_drs/protocol/*' --fail-under=90

unit-2: $(ENV2) ## Run the tests of the Airflow face on Airflow 2.11
	$(BIN2)/pytest -q $(REPORT) $(PARALLEL) --ignore $(PAGE) $(BOTH_LINES)

airflow: $(ENV) $(ENV2) ## Run the example DAGs in a whole Airflow, 2.11 and 3.x
	$(BIN)/pytest -q $(REPORT) $(WAITING) tests/airflow $(SWEEP) $(PAGE)

test-cluster: $(ENV) .venvs/cluster-3/stamp .venvs/cluster-2/stamp ## Start 500 jobs with Celery while all else fails; prove that each started once
	DRS_CLUSTER=1 $(BIN)/pytest -q -n 2 -rfEP -o faulthandler_timeout=1500 $(REPORT) tests/cluster/test_cluster.py

packaging: $(ENV) $(ENV2) ## Build the wheel, and try it where nothing else is installed
	$(BIN)/pytest -q $(REPORT) tests/packaging

docs: $(ENV) ## Build the documentation; a warning is an error
	AIRFLOW_HOME=$(CURDIR)/.run/airflow $(BIN)/sphinx-build -q -E -W -b html docs docs/_build/html

benchmark: $(ENV) .venvs/bench/stamp ## Measure what it costs, against what one would write without it
	.venvs/bench/bin/python -W ignore -m benchmarks $(PARTS)

keystone: $(ENV) .venvs/keystone/stamp ## Run a real Keystone, an IAM to look at
	$(BIN)/python -m dev.stacks.keystone

env: $(ENV) $(ENV2) .venvs/keystone/stamp ## Make the environments of the tests

constraints: ## Resolve all dependencies anew
	$(PYTHON) -m dev.environments --resolve

clean: ## Remove everything that can be made again
	rm -rf .venvs .run docs/_build docs/_generated build dist .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
