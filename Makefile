# Everything on a machine that has Python 3.11 to 3.13 and make: `make repro` runs the pipeline, `make test` the tests.
# PYTHON chooses the interpreter, VENV the environment's folder.

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3 python,$(shell \
	command -v $(name) >/dev/null 2>&1 && \
	$(name) -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(name))))
VENV ?= .venv
READY := $(VENV)/.ready
# Scripts name their interpreter by its whole path, so an environment does not move with its folder.
ifneq ($(filter-out help lock clean,$(MAKECMDGOALS)),)
ifneq ($(shell [ ! -e $(READY) ] || grep -qsF '$(abspath $(VENV))/bin/python' $(VENV)/bin/alexnet || echo moved),)
$(error $(VENV) was made in another folder, which its commands still name: `rm -r $(VENV)`, then the same again)
endif
endif
export CALLER_PATH := $(PATH)
export PATH := $(abspath $(VENV))/bin:$(PATH)
# As modules of a cluster set it, it comes before the environment; its packages are not those that are pinned.
unexport PYTHONPATH
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help repro test test-all check setup report ui bench docs lock clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

repro: $(READY)  ## run the whole pipeline on the active params.yaml, then show the comparison
	@alexnet setup
	dvc repro
	@alexnet report

test: $(READY)  ## the default tests, on two cores
	pytest -n 2 --dist loadfile --no-loadscope-reorder

test-all: $(READY)  ## the default tests, the slow ones and those of distributed engines
	pytest -m ""

check: $(READY)  ## style, types and layers
	ruff check
	ruff format --check
	pyright
	lint-imports

setup: $(READY)  ## make only the environment
	@alexnet setup

report: $(READY)  ## the comparison of the last run
	@alexnet report

ui: $(READY)  ## the tracked runs in a browser
	alexnet ui

bench: $(READY)  ## the training step against the machine's matrix products, Keras and PyTorch: half an hour; AGAINST=REV
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group bench
	python -m benchmarks.training $(if $(AGAINST),--against $(AGAINST))

docs: $(READY)  ## render every page that depends on results, benchmarks, code or parameter models
	alexnet docs
	python -m benchmarks.pages
	python -m benchmarks.performance_page

lock:  ## resolve the newest versions that pyproject.toml allows into constraints.txt
	@rm -rf $(VENV).lock && $(PYTHON) -m venv $(VENV).lock
	@$(VENV).lock/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(VENV).lock/bin/python -m pip install --quiet -e '.[pipeline]' --group dev
	@{ grep '^#' constraints.txt; $(VENV).lock/bin/python -m pip freeze --all --exclude-editable; } > constraints.txt.new
	@mv constraints.txt.new constraints.txt && rm -rf $(VENV).lock

clean:  ## remove the environment, all outputs and DVC's cache with those of experiments, but not the tracked runs
	rm -rf $(VENV) data/dataset data/records data/statistics data/verdict.json models reports exports .dvc/cache .dvc/tmp
	rm -rf .alexnet/checkpoints .alexnet/kill_test .alexnet/verify .alexnet/averages .alexnet/timings .alexnet/sources

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 with venv found; install one, or say make PYTHON=/path/to/python"; exit 1; }
	@echo "Making the environment in $(VENV) with $$($(PYTHON) --version): about 3 GB, a few minutes."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' -c constraints.txt
	@PYTHONWARNINGS=ignore $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pipeline]' --group dev
	@touch $@
