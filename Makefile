# The one entry point for people and for CI. Needs Python 3.11 or newer, make and a package index;
# everything else is made here, inside .venv/ and build/.

PYTHON ?= python3
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
UV := $(BIN)/uv
READY := $(VENV)/.ready

# uv does not read pip's configuration, so an index configured for pip is handed on.
PIP_INDEX = $(shell $(BIN)/pip config list 2>/dev/null | sed -n "s/^[^=]*[.]index-url='\(.*\)'$$/\1/p" | tail -n 1)
export UV_DEFAULT_INDEX ?= $(PIP_INDEX)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without bytecode each process compiles what it imports, for seconds, and a run of the tests starts hundreds.
unexport PYTHONDONTWRITEBYTECODE

CHECKED := $(wildcard local functions data_pipeline mwaa_migrator_cli tools tests bench chaos matrix pipeline_runs sources)
# One for each core, and a spare one that keeps busy the cores that wait (tests/scheduling.py).
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"

# The AWS SDK and what it brings are Lambda's own.
IN_LAMBDA := boto3 botocore python-dateutil s3transfer six urllib3

.PHONY: help
help: ## What there is
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## The development environment, .venv/

$(READY): requirements/uv.txt requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mwaa-migrator needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --quiet --require-hashes -r requirements/uv.txt
	$(UV) pip install --quiet --python $(PY) --require-hashes -r requirements/dev.txt
	$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: lint
lint: $(READY) ## Format, lint and types; what runs in Airflow with Python 3.7
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CHECKED)
	$$($(PY) -m local.installations.interpreters 3.7) -m compileall -q -f dags mwaa_migrator_cli/doctor/probe_dag.py

.PHONY: format
format: $(READY) ## Formats the code and fixes what lint can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: test
test: $(READY) ## Every test, with real PostgreSQL, Airflow and Step Functions; TESTS= for some, RECORD=1 renews tests/durations.json
	# A file's tests share the servers that they start. tests/conftest.py has the long files come first.
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(if $(RECORD),--record-durations) $(TESTS)

.PHONY: e2e
e2e: $(READY) ## The end-to-end tests alone
	$(BIN)/pytest -q tests/e2e

.PHONY: rehearsal
rehearsal: $(READY) ## A rehearsal on this machine: SOURCE= TARGET= PATH_TO_3= WAY_IN= WORKER_DATABASE= DAGS= SEED_SQL= OUT= KEEP=1 MODE=migrate
	$(PY) -m local rehearsal

.PHONY: pipelines
pipelines: $(READY) ## Definitions of AWS Data Pipeline translated, parsed by Airflow and run: DEFINITIONS= RUNS=
	$(PY) -m pipeline_runs $(or $(DEFINITIONS),$(error name a folder of definitions: DEFINITIONS=)) $(RUNS)

.PHONY: bench
bench: $(READY) ## Benchmarks against peers, into build/bench.json; ONLY=speed compares with BASE= (the commit before)
	$(PY) -m bench $(if $(ONLY),--only $(ONLY)) $(if $(filter speed,$(ONLY)),--against $(or $(BASE),HEAD~1))

.PHONY: chaos
chaos: $(READY) ## Migrations in which something goes wrong: SEED=1 RUNS=20 REAL=1, into build/chaos.json
	$(PY) -m chaos --seed $(or $(SEED),1) --runs $(or $(RUNS),20) $(if $(REAL),--real)

.PHONY: load
load: $(READY) ## A source of 3,000 DAGs and 5 million task instances, migrated: SCALE=1, into build/load.json
	$(PY) -m bench.load --scale $(or $(SCALE),1)

.PHONY: matrix
matrix: $(READY) ## Every source version to 2.11.2 and to Airflow 3, and from 3 to 3, into build/matrix.json
	$(PY) -m matrix

.PHONY: build
build: $(READY) ## The packages that `sam deploy` uploads, into build/, with build/sbom.json
	$(PY) -m tools.packages
	$(PY) -m tools.bill_of_materials

.PHONY: engine
engine: $(READY) ## The engine as one file, build/mwaa_migrator.pyz, for an Airflow outside Amazon MWAA
	$(PY) -m tools.engine_file

.PHONY: release
release: $(READY) ## What a release is, into build/release/: wheel, application, bill of materials, checksums
	$(PY) -m tools.release

.PHONY: template
template: $(READY) ## Template findings: cfn-lint, sam validate, checkov; state machines: asl-validator, JSONata's own parser
	$(BIN)/cfn-lint template.yaml
	$(BIN)/sam validate --lint
	$(PY) -m tools.state_machine_findings
	test -x build/checkov/bin/checkov || $(UV) venv --quiet build/checkov
	$(UV) pip install --quiet --python build/checkov --require-hashes -r requirements/checkov.txt
	build/checkov/bin/checkov --quiet --compact --skip-download --framework cloudformation --file template.yaml

.PHONY: generate
generate: $(READY) ## Files made from others: state machines, dashboard, docs' tables, Airflow's renamed options
	PYTHONPATH=functions $(PY) -m tools.airflow_options
	$(PY) -m tools.oldest_sources
	$(PY) -m tools.state_machines
	$(PY) -m tools.function_rights
	$(PY) -m tools.dashboard
	$(PY) -m tools.generated_docs
	$(PY) -m tools.phases_picture

.PHONY: findings
findings: $(READY) ## Security findings in the code; a part of the tests
	$(BIN)/bandit --quiet --recursive --severity-level medium local functions dags data_pipeline mwaa_migrator_cli

.PHONY: audit
audit: findings ## Known vulnerabilities in what is locked, and security findings in the code
	$(PY) -m tools.audit

.PHONY: check
check: lint template audit test ## What a reviewer would run

.PHONY: lock
lock: $(READY) ## Locks requirements/*.in again (UPGRADE=--upgrade for the newest)
	for name in uv dev checkov mwaa-dr hadoop pymysql; do $(UV) $(LOCK) $(UPGRADE) requirements/$$name.in -o requirements/$$name.txt; done
	$(UV) $(subst 3.11,3.13,$(LOCK)) $(UPGRADE) $(IN_LAMBDA:%=--no-emit-package %) functions/requirements.in -o functions/requirements.txt
	$(UV) $(subst 3.11,3.13,$(LOCK)) $(UPGRADE) layers/ruff/requirements.in -o layers/ruff/requirements.txt
	$(UV) pip compile --quiet --python "$$($(PY) -m local.installations.interpreters 3.13)" --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" $(UPGRADE) requirements/lambda-runtime.in -o requirements/lambda-runtime.txt
	$(PY) -m local.installations.airflow_installation lock
	$(PY) -m local.installations.node_packages

.PHONY: clean
clean: ## Removes what was built
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: distclean
distclean: clean ## Removes the development environment too
	rm -rf $(VENV)
