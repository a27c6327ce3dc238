# `make run`, `make test`: each sets up first, in .venv; nothing is installed anywhere else.
# On a machine without an NVIDIA GPU, TORCH_INDEX=https://download.pytorch.org/whl/cpu avoids some
# gigabytes of CUDA libraries (torch is needed by the tests and by training, not by a run).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INPUT ?=
OUT ?= results
TORCH_INDEX ?=
# Options for pytest; PYTEST="-n 2 --dist worksteal" runs the tests in two processes.
PYTEST ?=
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TORCH_OPTION := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: setup run test quick coverage lint wheel bench schemas docs clean

setup: $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is older: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian and Ubuntu, apt install python3-venv"; exit 2; }

# What a run needs, and no more.
$(VENV)/.runs: setup.cfg pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing Hounsfield into $(VENV) (a minute, once)"
	@$(PIP_INSTALL) --editable .
	@touch $@

# What tests and training need too.
$(VENV)/.installed: $(VENV)/.runs
	@echo "installing the tools for tests and training into $(VENV) (a few minutes, once)"
	@$(PIP_INSTALL) $(TORCH_OPTION) --editable '.[dev,train]'
	@touch $@

$(VENV)/.docs: $(VENV)/.runs
	@$(PIP_INSTALL) --editable '.[docs]'
	@touch $@

ifeq ($(strip $(INPUT)),)
run: $(VENV)/.runs phantom-study/truth.json
	$(BIN)/hounsfield run phantom-study --out $(OUT)

phantom-study/truth.json: | $(VENV)/.runs
	$(BIN)/hounsfield phantom phantom-study
else
run: $(VENV)/.runs
	$(BIN)/hounsfield run "$(INPUT)" --out "$(OUT)"
endif

test: setup
	$(BIN)/python -m pytest $(PYTEST)

quick: setup
	$(BIN)/python -m pytest -m "not slow" $(PYTEST)

coverage: setup
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(PYTEST)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: setup
	.ci/wheel

bench: setup
	$(BIN)/python -m benchmarks

schemas: setup
	$(BIN)/python -m hounsfield.pipeline.schemas docs/schemas

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) phantom-study build dist site *.egg-info src/*.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache
