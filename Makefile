# `make run`, `make test`: each sets up first, in .venv; nothing is installed anywhere else.
# TORCH_INDEX=https://download.pytorch.org/whl/cpu spares the CUDA libraries where pip would take them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INPUT ?=
OUT ?= results
TORCH_INDEX ?=
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: setup run test lint bench schemas clean

setup: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is older: make PYTHON=python3.12 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian and Ubuntu, apt install python3-venv"; exit 2; }
	@echo "installing what setup.cfg pins into $(VENV) (a few minutes, once)"
	@$(PIP_INSTALL) --editable '.[dev,train]'
	@touch $@

ifeq ($(strip $(INPUT)),)
run: setup phantom-study/.made
	$(BIN)/hounsfield run phantom-study --out $(OUT)

phantom-study/.made: | setup
	$(BIN)/hounsfield phantom phantom-study
	@touch $@
else
run: setup
	$(BIN)/hounsfield run "$(INPUT)" --out "$(OUT)"
endif

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks

schemas: setup
	$(BIN)/python -m hounsfield.pipeline.schemas docs/schemas

clean:
	rm -rf $(VENV) phantom-study build *.egg-info .pytest_cache .mypy_cache .ruff_cache
