# `make demo` and `make test` do all the set-up there is. Everything else is listed by `make help`.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := demo
AUDIO ?=
MODEL ?= embedded

.PHONY: help setup demo test soak bench lint lab dashboard serve lock clean

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Make .venv and install what the lock file pins

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Python 3.11 is needed: install it, or say where it is: make $@ PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: setup ## Run the pipeline on real music: make demo [AUDIO=song.mp3] [MODEL=auto]
	$(BIN)/python -m sfwidgets.demo --out $(DEMO) --model $(MODEL) $(if $(AUDIO),--audio "$(AUDIO)")

test: setup ## Run the tests
	$(BIN)/python -m pytest -q

soak: setup ## Run the tests with the full counts
	$(BIN)/python -m pytest -q -m "soak or not soak" --timeout 3600

bench: setup ## Measure speed and memory against python -m demucs and librosa
	$(BIN)/python bench/separation.py
	$(BIN)/python bench/analysis.py

lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: setup ## Open JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks/pipeline.ipynb

dashboard serve: ## Not built yet
	@echo "make $@ is not built yet: see CHANGELOG.md for what is there."; exit 1

lock: setup ## Resolve the lock file anew
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --no-emit-find-links --no-emit-index-url --no-annotate \
	  --output-file requirements.lock pyproject.toml
	sed -i 's/+cpu$$//' requirements.lock

clean: ## Remove what make made
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache
