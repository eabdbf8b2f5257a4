# Every command of the project. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := bash
BIN := .venv/bin
MEMBERS := libs/common libs/core libs/simulator services/ingest services/broker_gateway services/risk services/agent \
           services/backtest services/gateway deploy/local
NAME ?= all

# Settings of a person's own, as .env.example shows them.
ifneq (,$(wildcard .env))
include .env
export $(shell sed -n 's/^\(ALGOTRENDY_[A-Z_]*\)=.*/\1/p' .env)
endif

help:  ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## Install everything into this checkout (repeating it costs a second)
	@deploy/local/install

install-python:
	@deploy/local/install python

demo: install  ## Trade on paper with recorded data: starts everything, prints the page's address and a login, Ctrl-C stops
	@exec $(BIN)/algotrendy up

smoke: install  ## The demo without a person: one order from signal to position, checked against the venue and the page
	@$(BIN)/python -m tests.e2e.smoke

test: install  ## Install everything and run every test, those in a browser included
	@tests/run

check: install  ## Lint, types, import contracts, schema rules, generated documents, the page's own checks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@for member in $(MEMBERS); do $(BIN)/mypy $$member/src || exit 1; done
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/architecture
	@cd web && npm run --silent check

bench: install  ## Measure: make bench NAME=tick_to_order (a folder of benchmarks/), or all of them
	@$(BIN)/python -m benchmarks $(NAME)

faults: install  ## Prove by faults: make faults NAME=order_sim SEEDS=200 (a folder of tests/faults/ with a run.py)
	@$(BIN)/python -m tests.faults $(NAME) $(if $(SEEDS),--seeds $(SEEDS))

docs: install-python  ## Write the documents that are generated: subjects, AsyncAPI, OpenAPI
	@$(BIN)/python -m algotrendy_common.documents docs
	@$(BIN)/python -m algotrendy_gateway.openapi > docs/openapi.json

compose-files: install-python  ## Write secrets and settings for docker compose
	@$(BIN)/python -m algotrendy_local.compose

format: install-python  ## Put the code in its one form
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

lock: install-python  ## Pin every dependency anew, with hashes
	@deploy/local/lock

clean: install-python  ## Remove what was built and the demo's data (it asks first)
	@$(BIN)/algotrendy reset
	@rm -rf .build web/out web/.next

.PHONY: help install install-python demo smoke test check bench faults docs compose-files format lock clean
