# Quire. `make` alone lists what there is.

# The first of these that runs, is 3.11 or newer and can make environments; or choose: make PYTHON=…
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PACKAGES := schemas services/runtime services/ingest services/processor services/notifier deploy/local clients/python cli
MANIFESTS := requirements/all.txt $(PACKAGES:%=%/pyproject.toml)
PAGE := services/notifier/quire_notifier/page/index.html
WEB := $(shell find web/src web/public clients/js -type f) $(wildcard web/*.json web/*.ts) web/index.html web/build web/with-node
ELSE := Install one, or name one: make PYTHON=/path/to/python3

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-long test-page test-deploy chaos bench images requirements manifests docs screenshots lint fmt clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

setup: $(READY) $(PAGE) ## Build the environment in .venv and the page, without starting anything

run: $(READY) $(PAGE) ## Start everything on this machine and show the samples being processed; ARGS="--processors 2" and so on
	@$(BIN)/quire up --samples samples/pdfs $(ARGS)

demo: $(READY) ## Submit the samples to the running stack and check every outcome
	@$(BIN)/python samples/demo.py $(ARGS)

test: $(READY) $(PAGE) ## Run the tests, in two processes; ARGS="tests/schemas -k fold" for some
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(READY) $(PAGE) ## Run those that take long: servers away, upgrades, what each service refuses at its start
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m long $(ARGS)

test-page: $(READY) $(PAGE) ## Try the page in a browser at length; make test does so in short
	@$(BIN)/python -m pytest -m page tests/page $(ARGS)

test-deploy: $(READY) ## Run the tests of images, Compose and Kubernetes too, on the Docker engine and the cluster that are reachable
	@$(BIN)/python -m pytest -m 'live or not live' tests/deploy $(ARGS)

chaos: $(READY) $(PAGE) ## Kill, freeze and cut off for ten minutes, then check every promise from outside; SEED=… repeats a run
	@QUIRE_CHAOS_SECONDS=$(or $(SECONDS),600) QUIRE_CHAOS_SEED=$(or $(SEED),0) $(BIN)/python -m pytest -s tests/chaos

bench: $(READY) ## Measure the running stack: batches, control, push, snapshot, a large upload; ARGS="--data DIR" for another one
	@$(BIN)/python bench/batch.py $(ARGS)
	@$(BIN)/python bench/control.py $(ARGS)
	@$(BIN)/python bench/push.py $(ARGS)
	@$(BIN)/python bench/snapshot.py $(ARGS)
	@$(BIN)/python bench/upload.py $(ARGS)

images: ## Build the container images, and list what is in each in sbom/; ARGS="--build-arg BASE=python:3.12-slim"
	@deploy/docker/build $(ARGS)

requirements: $(READY) ## Cut each image's share out of requirements/all.txt
	@$(BIN)/python requirements/shares.py

manifests: $(READY) ## Make again what follows from chart and settings: deploy/kubernetes/quire.yaml, the values' schema
	@$(BIN)/python -m tests.deploy.manifests

docs: $(READY) ## Write docs/metrics.md from the declarations of the metrics
	@$(BIN)/python docs/generate.py

screenshots: $(READY) $(PAGE) ## Show the page in each of its states to a browser, and keep the pictures in screenshots/
	@$(BIN)/python -m tests.page.screenshots $(ARGS)

lint: $(READY) $(PAGE) ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	web/with-node npm run --silent lint

fmt: $(READY) ## Format the code and sort its imports
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	web/with-node npm run --silent fmt

clean: ## Remove the environment, caches and the local stack's data
	rm -rf $(VENV) $(dir $(PAGE)) web/node_modules screenshots .quire .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache sbom
	find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): $(MANIFESTS)
	@$(if $(PYTHON),true,echo 'Quire needs Python 3.11 or newer with its venv module (Debian: apt install python3-venv). $(ELSE)' >&2; exit 1)
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo 'Quire needs Python 3.11 or newer, and $(PYTHON) is not. $(ELSE)' >&2; exit 1; }
	@echo 'Building the environment in $(VENV) (about a minute, the first time)'
	@$(BIN)/python -c 'import pip' 2>/dev/null || '$(PYTHON)' -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/all.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES:%=--editable %)
	@touch $@

$(PAGE): $(READY) $(WEB)
	@web/build
	@touch $@
