# The README's two commands are `make lab` and `make test`; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv/bin
PANEL := las_jupyter/widgets/static/panel.js
JS_SOURCES := $(shell find js/src js/*.json js/*.mjs -type f 2>/dev/null)
NODE := scripts/node-env

.PHONY: help lab test check format javascript dist bench clean test-vllm test-cgroup2

help: ## what each target does
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: ## set everything up and open JupyterLab on the quickstart notebook, with a real model
	scripts/python-env lab,llamacpp
	$(MAKE) --no-print-directory $(PANEL)
	$(VENV)/python -m las_jupyter.models fetch smollm2-135m
	root=$$([ "$$(id -u)" -ne 0 ] || echo --allow-root); \
	PATH="$$PWD/$(VENV):$$PATH" $(VENV)/jupyter lab $$root $(LAB_OPTIONS) notebooks/01_quickstart.ipynb

test: ## set everything up and pass all tests
	scripts/test

check: ## the quick loop: format, lint, types, import rules, unit tests, TypeScript
	scripts/python-env lab,llamacpp test check
	scripts/check

format: ## format Python and TypeScript
	scripts/python-env lab,llamacpp test check
	$(VENV)/ruff format -q .
	$(VENV)/ruff check -q --fix .
	cd js && ../$(NODE) npm run --silent format

javascript: $(PANEL) ## build the panel's JavaScript

# `install --no-save` takes the locked versions as `ci` does, and bears a mirror that lacks other platforms' optional packages.
js/node_modules/.package-lock.json: js/package.json js/package-lock.json
	cd js && ../$(NODE) npm install --no-save --no-fund --no-audit --loglevel=error
	@touch $@

$(PANEL): js/node_modules/.package-lock.json $(JS_SOURCES)
	cd js && ../$(NODE) npm run --silent build

dist: $(PANEL) ## build wheel and sdist
	scripts/python-env lab,llamacpp test check
	rm -rf dist
	PIP_CONSTRAINT=$$PWD/constraints.txt $(VENV)/python -m build --outdir dist .

bench: ## every benchmark, as ratios measured in one run
	scripts/python-env lab,llamacpp test check
	for bench in benchmarks/*.py; do $(VENV)/python $$bench; done

test-vllm: ## the real vLLM on CPU, in an environment of its own (takes minutes)
	scripts/python-env lab,llamacpp test check
	tests/vllm/run

test-cgroup2: ## limits of version 2 of control groups, in Linux kernels of our own
	scripts/debian-packages
	scripts/python-env lab,llamacpp test check
	tests/own_kernel/run

clean: ## remove everything that was built or installed here
	rm -rf .venv dist build js/node_modules las_jupyter/widgets/static .mypy_cache .ruff_cache .pytest_cache .cache
