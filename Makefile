# The entry point for users and contributors. `make` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venvs/airflow-3/bin
BIN2 := .venvs/airflow-2/bin
# Written when an environment is complete.
ENV := .venvs/airflow-3/stamp
ENV2 := .venvs/airflow-2/stamp
# Made before the tests of `make test-system`, which are sensitive to a busy machine.
OTHER_ENVS := .venvs/keystone/stamp .venvs/oldest/stamp .venvs/cluster-3/stamp .venvs/cluster-2/stamp
# A file or folder of tests, for `make test` and `make test-system`.
T ?=
# What also runs on Airflow 2.11: everything that imports Airflow, and the connection.
BOTH_LINES := tests/hooks tests/operators tests/sensors tests/triggers tests/dags tests/links tests/assets tests/report \
	tests/lineage tests/test_metrics.py tests/cli/test_connection.py
# Tests that share a slow fixture are in one group and run on one worker.
PARALLEL := -n 2 --dist loadgroup
# Running Airflows mostly wait: four of them share two cores.
WAITING := -n 4 --dist loadgroup
# Groups of checks that run concurrently. Rows of the second kind start Airflows, which are idle half of the time.
QUICK := lint types imports unit + unit-2
SYSTEM := airflow + cluster services packaging oldest docs audit licenses
# dev/checks/run.py reads the reports.
REPORT = --junit-xml=.run/reports/$@.xml

# Airflow has thousands of modules: compile them once, even where the environment disables it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-migration operations ui test test-system test-matrix soak lint spelling types imports licenses audit unit unit-2 airflow \
	cluster services packaging oldest docs site benchmark interface release keystone env constraints clean

help: ## List the targets
	@grep -hE '^[a-z0-9%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(ENV) ## Run pre-checks in a real Airflow 3 against the emulator: all pass, then one fails
	@$(BIN)/python -m dev.demos.demo

demo-migration: $(ENV) ## Run a whole MySQL migration in a real Airflow 3 against the emulator
	@$(BIN)/python -m dev.demos.demo_migration

operations: $(ENV) ## Show which documented operations the hook, operators and emulator cover
	@$(BIN)/python -m dev.docs.coverage_table

ui: $(ENV) ## Serve an Airflow with three pre-check reports until Ctrl-C
	@$(BIN)/python -m dev.demos.ui

ifeq ($(T),)
test: ## Run the quick checks and tests (about 5 minutes); T=tests/prechecks runs one folder or file
	@$(PYTHON) -m dev.checks.run $(QUICK)

test-system: $(ENV) $(ENV2) $(OTHER_ENVS) ## Run real Airflows, browser, cluster, packaging and docs; T=tests/airflow runs one folder or file
	@$(PYTHON) -m dev.packages
	@$(PYTHON) -m dev.checks.run $(SYSTEM)
else
test: $(ENV)
	$(BIN)/pytest -q $(T)

test-system: $(ENV) $(ENV2) .venvs/keystone/stamp
	$(BIN)/pytest -q -m system $(T)
endif

.venvs/%/stamp: setup.cfg emulator/setup.cfg .ci/constraints-%.txt dev/environments.py
	@$(PYTHON) -m dev.environments $*
	@touch $@

lint: $(ENV) spelling ## Check style, format and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

spelling: $(ENV) ## Check spelling, and words that the style guide replaces
	$(BIN)/codespell --dictionary=- --dictionary=.ci/replaced-words.txt

types: $(ENV) ## Check types
	$(BIN)/mypy

imports: $(ENV) ## Check that imports point in one direction
	$(BIN)/lint-imports

licenses: $(ENV) ## List the licenses of all dependencies
	$(BIN)/python -m dev.checks.licenses

audit: $(ENV) ## Look for withdrawn versions and known vulnerabilities
	$(BIN)/python -m dev.checks.audit

unit: $(ENV) ## Run the tests that need no running Airflow, on Airflow 3
	$(BIN)/pytest -q $(REPORT) $(PARALLEL) --cov=airflow_provider_drs --cov=drs_emulator --cov-report= tests
	$(BIN)/coverage report --include='airflow_provider_drs/protocol/*' --fail-under=100
	$(BIN)/coverage report --omit='airflow_provider_drs/protocol/*' --fail-under=90

unit-2: $(ENV2) ## Run the tests that import Airflow on Airflow 2.11
	$(BIN2)/pytest -q $(REPORT) --ignore tests/report/running $(BOTH_LINES)

oldest: .venvs/oldest/stamp ## Run the tests of operators and hooks with the oldest allowed dependencies
	.venvs/oldest/bin/pytest -q $(REPORT) $(PARALLEL) -W ignore tests/hooks tests/operators tests/sensors tests/triggers

test-matrix: $(ENV) ## Test the supported versions of Airflow, Python and databases; CELLS="3.1 py3.13" selects some
	@$(BIN)/python -m dev.checks.matrix $(CELLS)

in-%:
	@.venvs/$*/bin/pytest -q $(PARALLEL) -W ignore --ignore tests/report/running $(BOTH_LINES)

soak: $(ENV) .venvs/cluster-2/stamp ## Run 2,000 deferred waits for six simulated hours, in about 8 minutes
	@$(BIN)/python -m dev.soak

airflow: $(ENV) $(ENV2) ## Run the example DAGs and the report page in running Airflows, 2.11 and 3.x
	$(BIN)/pytest -q -m system $(REPORT) $(WAITING) tests/airflow tests/security tests/report

cluster: $(ENV) .venvs/cluster-3/stamp .venvs/cluster-2/stamp ## Start 500 jobs on Celery while processes are killed and DRS fails
	$(BIN)/pytest -q -m system -n 2 -rfEP -o faulthandler_timeout=1500 $(REPORT) tests/cluster

services: $(ENV) .venvs/keystone/stamp ## Run the documented commands, and log in to a real Keystone
	$(BIN)/pytest -q -m system $(REPORT) $(PARALLEL) tests/dev tests/cli tests/peers

packaging: $(ENV) $(ENV2) ## Build the wheel, and install it into empty environments
	$(BIN)/pytest -q -m system $(REPORT) tests/packaging

docs: $(ENV) ## Build the documentation; warnings are errors
	AIRFLOW_HOME=$(CURDIR)/.run/airflow $(BIN)/sphinx-build -q -E -W -b html docs docs/_build/html

site: $(ENV) ## Add the documentation of this version to those of others: SITE=folder
	$(BIN)/python -m dev.docs.site "$(SITE)"

benchmark: $(ENV) .venvs/bench/stamp ## Measure cost and speed against plain scripts and other providers
	.venvs/bench/bin/python -W ignore -m benchmarks $(PARTS)

interface: $(ENV) ## Update docs/public_interface.txt for a release
	@$(BIN)/python -W ignore -m dev.docs.public_interface

release: $(ENV) ## Check that a version can be released, and build its packages: VERSION=1.0.0 URL=https://...
	@$(BIN)/python -m dev.release "$(VERSION)" "$(URL)"

keystone: $(ENV) .venvs/keystone/stamp ## Serve a real Keystone until Ctrl-C
	$(BIN)/python -m dev.stacks.keystone

env: $(ENV) $(ENV2) .venvs/keystone/stamp ## Create the main environments of the tests

constraints: ## Resolve all dependencies again and write .ci/constraints-*.txt
	$(PYTHON) -m dev.environments --resolve

clean: ## Remove everything that make can create again
	rm -rf .venvs .run docs/_build docs/_generated build dist sbom .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
