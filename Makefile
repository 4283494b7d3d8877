# The commands of the project. `make demo` and `make test` set up everything they need.
SHELL := /bin/bash
PY := .venv/bin/python
BIN := .venv/bin
# Files of tests that run at once. Most of them wait for servers and links more than they compute.
JOBS ?= 2

.PHONY: help needs setup demo test check lint types contracts unit web web-check lock clean

help: ## Say what there is.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/.done: pyproject.toml requirements.lock
	@deploy/needs.sh run
	python3 -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

client-js/node_modules/.done: client-js/package.json client-js/package-lock.json
	@deploy/needs.sh run
	# Not `npm ci`: it fails where a registry lacks an optional package of a foreign platform.
	cd client-js && npm install --no-save --no-audit --no-fund --loglevel=error
	touch $@

server/pages/.done: client-js/node_modules/.done $(shell find client-js/src client-js/*.ts client-js/*.html client-js/*.json -type f 2>/dev/null | grep -v node_modules)
	cd client-js && npm run --silent build
	touch $@

setup: .venv/.done client-js/node_modules/.done ## Make the environments, with pinned versions.

web: server/pages/.done ## Build the widget, the console and the demo shop.

demo: .venv/.done web ## Start a demo shop, its widget and the agent console on this machine.
	$(BIN)/tradewind serve --demo

lint: .venv/.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.done
	$(BIN)/mypy

contracts: .venv/.done
	$(BIN)/lint-imports

web-check: client-js/node_modules/.done
	cd client-js && npm run --silent check && npm run --silent test

needs: ## Install (apt, as root) what the tests need, or say what is missing.
	@deploy/needs.sh test

unit: .venv/.done ## Only the pure Python tests: seconds.
	$(BIN)/pytest -q tests/transport/wire tests/server/domain

test: .venv/.done web needs web-check ## Run every test against real servers and a real Chromium.
	$(BIN)/pytest -q -n $(JOBS) --dist loadgroup

check: lint types contracts test ## What the build server runs.

lock: ## Write the lock files anew from pyproject.toml.
	rm -rf .venv/lock && python3 -m venv .venv/lock
	.venv/lock/bin/pip install --quiet .
	.venv/lock/bin/pip freeze --exclude tradewind > requirements.run.lock
	.venv/lock/bin/pip install --quiet '.[dev]'
	.venv/lock/bin/pip freeze --exclude tradewind > requirements.lock
	rm -rf .venv/lock build

clean: ## Remove what was built.
	rm -rf .venv client-js/node_modules server/pages
