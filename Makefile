# Thin targets: each is one command of the README. `make sweep` and `make test` do their own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup servers check-gpu sweep sweep-render sweep-stop plan report ui test test-fast check docs audit lock licences sbom fmt \
	bench bench-canaries methods clean
unexport PYTHONDONTWRITEBYTECODE

CONFIG ?= configs/sweeps/demo.yaml
ARGS ?=
TARGET ?= local
OVERLAY ?= local-cpu
OUT ?= build/k8s
MINUTES ?= 9
SWEEP ?= $(basename $(notdir $(CONFIG)))
BIN := .venv/bin
# The order in which the tests are handed out is that of tests/distribution.py.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder
# A command that was interrupted has said so: make ends the same way and adds no `*** Error 130`. The shell outlives the
# signal: make must not see both at once, or it remarks on a child that is gone.
QUIETLY = || { code=$$?; [ $$code -eq 130 ] || exit $$code; kill -INT $$PPID; sleep 1; }
RUN_local := run
RUN_k8s = submit --overlay $(OVERLAY)

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 22

setup:  ## create .venv and install the pinned dependencies
	@.ci/setup

sweep: setup  ## run a sweep: CONFIG=configs/sweeps/demo.yaml ARGS="axis=value …" [TARGET=k8s OVERLAY=local-cpu]
	@$(BIN)/frontier $(or $(RUN_$(TARGET)),$(error TARGET is local or k8s, not $(TARGET))) $(CONFIG) $(ARGS) $(QUIETLY)

sweep-stop: setup  ## end a sweep in a cluster: SWEEP=name; its records stay
	@$(BIN)/frontier stop $(SWEEP) $(ARGS) $(QUIETLY)

sweep-render: setup  ## write the Kubernetes objects of CONFIG: OVERLAY=local-cpu OUT=build/k8s
	@$(BIN)/frontier render $(CONFIG) $(ARGS) --overlay $(OVERLAY) --out $(OUT) $(QUIETLY)

plan: setup  ## show the grid of CONFIG and what it will cost
	@$(BIN)/frontier plan $(CONFIG) $(ARGS) $(QUIETLY)

methods: setup  ## write orchestrator/report/METHODS.md again, from methods.py
	@$(BIN)/python -c "from orchestrator.report.render.documents import methods_markdown as made; print(made(), end='')" > orchestrator/report/METHODS.md

report: setup  ## write the report of SWEEP again, from its records
	@$(BIN)/frontier report $(SWEEP) $(ARGS) $(QUIETLY)

ui: setup  ## open the MLflow UI, and say where the Ray dashboard is
	@$(BIN)/frontier ui $(SWEEP) $(ARGS) $(QUIETLY)

test: setup servers  ## run the tests on all cores: ARGS="-k name" narrows them
	@$(PYTEST) $(ARGS)

test-fast: setup  ## run the tests that start no sweep: unit, contract, manifests
	@$(PYTEST) tests/unit tests/contract tests/manifests $(ARGS)

servers:
	@.ci/servers

docs: setup  ## build the documentation site: build/site/index.html
	@set -o pipefail; NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build 2>&1 | { grep -v '^INFO' || true; }

check: setup docs  ## lint, format, types, import rules, documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

audit:  ## ask PyPI's advisories for each pinned version; needs the network
	@.ci/audit

lock:  ## pin the images' packages to hashes, after constraints.txt has changed; needs the network
	@.ci/lock

licences: setup  ## name packages whose licence has not been reviewed
	@$(BIN)/python k8s/images/sbom.py | $(BIN)/python .ci/licences

sbom: setup  ## write what is installed as a bill of materials: build/sbom.json
	@mkdir -p build
	@$(BIN)/python k8s/images/sbom.py > build/sbom.json

fmt: setup  ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

check-gpu: $(if $(PYTHON),,setup)  ## check that all works on the GPU of this machine: MINUTES=9 [PYTHON=python3]
	@PYTHONPATH="$(CURDIR)" $(or $(PYTHON),$(BIN)/python) -P -m workers.selfcheck --minutes $(MINUTES) --out build/gpu $(ARGS)

bench: setup  ## measure speed, and print one table: ARGS=--full takes hours; tests/bench/README.md explains it
	@$(BIN)/python tests/bench/all.py $(ARGS)

bench-canaries: setup  ## plant marked words everywhere, fail trials in every way, search all that is left
	@$(BIN)/python tests/bench/canaries.py $(ARGS)

clean:  ## remove .venv and caches; records in sweeps/ stay
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
