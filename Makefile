# Everything a user or developer types. Needs make and Python 3.11 or newer; the rest is installed
# into .venv here, and nothing is changed outside this folder.
#
#   make demo PYTHON=/opt/python3.12/bin/python3     another interpreter
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
#                                                    the small CPU-only torch (Linux)
#   make unit PYTEST_ARGS="-k voting -x"             some of the tests

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check
PIP_ARGS ?=
PYTEST_ARGS ?= -n 2 --dist worksteal

# The first Python that is new enough and really runs: a pyenv shim may exist and refuse, and
# Debian's python3 may come without venv.
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c '$(USABLE)' 2>/dev/null && command -v $$python && break; done)

define NO_PYTHON
No Python 3.11 or newer with the venv module was found. Install one \
(https://www.python.org/downloads, or on Debian and Ubuntu: apt install python3-venv), \
or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3
endef

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo serve test check lint schema sbom vulns unit e2e containers format hooks wheel lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- use it ------------------------------------------------------------------------------------

# In a collection of its own, so that trying things out never touches yours.
DEMO := $(CURDIR)/.demo

demo: $(VENV)/.installed  ## Ingest the example portfolio, attribute images, draw one, write a report
	@$(BIN)/lawful demo --home "$(DEMO)"

serve: $(VENV)/.installed  ## Serve the demo's collection over HTTP on this machine
	@LAWFUL_HOME="$(DEMO)" $(BIN)/lawful serve

# ---- work on it --------------------------------------------------------------------------------

test: check  ## Same as check: everything that CI runs

check: lint schema sbom unit  ## Format, lint, types, import contracts, schema, parts list, tests

lint: $(VENV)/.installed-dev  ## Formatting, lint, types and import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

schema: $(VENV)/.installed-dev  ## The migrations make exactly the tables that the models describe
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && export LAWFUL_HOME="$$home" && \
	set -x && $(BIN)/alembic upgrade head && $(BIN)/alembic check

sbom: $(VENV)/.installed-dev  ## Write what is installed to dist/sbom.json, as CycloneDX
	@mkdir -p dist
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.json $(VENV)

# Strict, for what could not be looked up has no "no known vulnerabilities" either.
vulns: $(VENV)/.installed-dev  ## Look the pinned packages up among known vulnerabilities, at pypi.org
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

unit: $(VENV)/.installed-dev  ## The tests alone
	$(BIN)/pytest $(PYTEST_ARGS)

e2e: $(VENV)/.installed-dev  ## The tests over the whole stack: servers, workers, kills
	$(BIN)/pytest tests/e2e

containers: $(VENV)/.installed-dev  ## Build and run docker-compose.yml by the Docker engine of this machine
	$(BIN)/pytest tests/containers/run.py --maxfail 1

format: $(VENV)/.installed-dev  ## Format the code and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

hooks: $(VENV)/.installed-dev  ## Check formatting, lint, types and imports at every commit
	$(BIN)/pre-commit install

wheel: $(VENV)/.installed-dev  ## Build dist/lawful_diffusion-*.whl
	$(BIN)/python -m hatchling build -t wheel

# Without torch's own CUDA packages: which of them it wants depends on the platform and the build.
# Without hashes for the same reason: pip's --require-hashes wants one for every package, and has none
# for the editable install nor for a torch of another index (PIP_ARGS).
lock: $(VENV)/.installed-dev  ## Upgrade every package that pyproject.toml allows; pin constraints.txt
	$(PIP) install --upgrade --upgrade-strategy eager $(PIP_ARGS) --editable . --group dev
	@{ echo '# What `make` installs, so that it is the same tomorrow. Written by `make lock`.'; \
	$(PIP) freeze --exclude-editable | sed -E 's/[+]cpu$$//' | grep -vE '^(cuda|nvidia|triton)'; \
	} > constraints.txt

clean:  ## Remove .venv, the demo's collection, builds and caches
	rm -rf $(VENV) "$(DEMO)" build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# ---- the environment ---------------------------------------------------------------------------
# A stamp is older than pyproject.toml or constraints.txt when one of them has changed: install
# again. Otherwise nothing happens.

$(BIN)/pip:
	$(if $(PYTHON),,$(error $(NO_PYTHON)))
	@echo "Making $(VENV) with $$($(PYTHON) --version) ($(PYTHON))"
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing into $(VENV): several GB with torch, a few minutes the first time"
	@$(PIP) install --constraint constraints.txt $(PIP_ARGS) --editable .
	@touch $@

# pip reads [dependency-groups] since 25.1; Python 3.11 to 3.13 bring an older one.
$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the development tools"
	@$(PIP) install --quiet 'pip>=25.1'
	@$(PIP) install --quiet --constraint constraints.txt $(PIP_ARGS) --group dev
	@touch $@
