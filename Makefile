# Everything starts here: bare `make` lists the targets. Setup happens by itself, once, and again when requirements change.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test up down restart status check fix bench nemesis messages clean

# A distribution's Python comes first: it was compiled with its profile, and runs a third faster than one made by pyenv.
PYTHON ?= $(shell for python in /usr/bin/python3.11 python3.11 python3; do \
  $$python -c 'import ensurepip, venv' 2>/dev/null && command -v $$python && break; done || echo python3)
TORCH ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1 && echo cuda || echo cpu)
BIN := .venv/bin
REQUIREMENTS := requirements.txt requirements-ml.txt requirements-embedded.txt requirements-dev.txt
FRONTEND := $(shell find frontend templates -type f 2>/dev/null) $(wildcard vite.config.ts tsconfig.json)
MESSAGES := $(shell find locale -name '*.po' 2>/dev/null)

help: ## list the targets
	@echo "AIFS. Usual targets (each sets up what it needs first):"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed static/dist/manifest.json .venv/.messages ## install Python packages, build the front end
	@true

demo: setup ## raw data to a published answer, on this machine [DATA=file]
	@$(BIN)/python -m aifs.demo $(if $(DATA),--data "$(DATA)")

test: setup ## all tests, or some: [T=path] [K=expression]; SLOW=1 adds those of real models
	@$(BIN)/python scripts/run_tests.py $(T) $(if $(K),-k "$(K)") $(if $(SLOW),--slow)

up: setup ## start the stack in the background; access in var/access.json
	@$(BIN)/python -m aifs.embedded up

down: ## stop the stack; nothing is lost
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m aifs.embedded down; fi

restart: setup ## new processes for old ones, without a refused request; for after an update
	@$(BIN)/python -m aifs.embedded restart

status: ## what runs now
	@$(BIN)/python -m aifs.embedded status

check: setup ## lint, types, import contracts, migrations, docs drift
	@$(BIN)/python scripts/check.py

fix: setup ## repair what check can repair by itself
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@$(BIN)/python scripts/check.py --write

bench: setup ## measure, ratios in one run, results in var/bench/ [B=name]
	@$(BIN)/python -m bench $(B)

nemesis: setup ## faults at random against a stack of its own: [MINUTES=20] [SEED=1]
	@$(BIN)/python -m tests.nemesis --minutes $(or $(MINUTES),20) --seed $(or $(SEED),1)

messages: .venv/.installed ## collect texts for translation and compile them
	@$(BIN)/python scripts/messages.py extract
	@$(BIN)/python scripts/messages.py compile

clean: down ## remove what was built; data in var/ stays
	rm -rf node_modules static/dist .venv

# torch comes first and by plain pip: a resolver that sees it later would fetch another build of several gigabytes.
# TORCH_INDEX names an index of CPU builds where pip's own configuration has none.
.venv/.installed: $(REQUIREMENTS) pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv
	@if [ "$(TORCH)" = cpu ]; then \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check \
	    $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$$(grep '^torch==' requirements-ml.txt)"; \
	else \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python "$$(grep '^torch==' requirements-ml.txt)"; \
	fi
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python $(foreach file,$(REQUIREMENTS),-r $(file))
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@
	@echo "Python packages are installed (torch: $(TORCH))."

static/dist/manifest.json: package.json $(wildcard package-lock.json) $(FRONTEND) | .venv/.installed
	@scripts/build_frontend.sh
	@touch $@

.venv/.messages: $(MESSAGES) | .venv/.installed
	@if [ -f scripts/messages.py ]; then $(BIN)/python scripts/messages.py compile; fi
	@touch $@
