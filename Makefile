# `make demo` and `make test` do all the set-up there is. Everything else is listed by `make help`.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SPOTDL := $(VENV)/spotdl
SPOTDL_STAMP := $(SPOTDL)/.installed
PIP_INSTALL := python -m pip install --quiet --disable-pip-version-check
PIP_COMPILE := $(BIN)/pip-compile --quiet --all-extras --strip-extras --no-emit-find-links --no-emit-index-url --no-annotate
JS := sfwidgets/widgets/js
BUNDLES := sfwidgets/widgets/static/.built
DEMO := demo
AUDIO ?=
MODEL ?= embedded

.PHONY: help setup browser compose demo test soak fuzz supabase-check bench screenshots lint lab dashboard serve lock clean

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 13

setup: $(STAMP) $(SPOTDL_STAMP) $(BUNDLES) ## Make .venv, install what the lock files pin, build the widgets' JavaScript

# $(call environment,FOLDER,LOCK): an environment with what a lock file pins
define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
  { echo "Python 3.11 is needed: install it, or say where it is: make setup PYTHON=/path/to/python3.11"; exit 1; }
@$(PYTHON) -m venv $(1) || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
$(1)/bin/$(PIP_INSTALL) -r $(2)
endef

# The two environments are made side by side.
MAKEFLAGS += --jobs=2

$(STAMP): requirements.lock pyproject.toml
	$(call environment,$(VENV),requirements.lock)
	$(BIN)/$(PIP_INSTALL) --no-deps --editable .
	@touch $@

$(SPOTDL_STAMP): requirements-spotdl.lock
	$(call environment,$(SPOTDL),requirements-spotdl.lock)
	@touch $@

$(BUNDLES): $(STAMP) hatch_build.py $(shell find $(JS) -name node_modules -prune -o -type f -print)
	$(BIN)/python hatch_build.py
	@mkdir -p $(@D)
	@touch $@

browser: # The tests of the widgets need a real Chromium
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
	  { echo "Chromium is missing. Install it, on Debian with: sudo apt-get install chromium"; exit 1; }

COMPOSE := http://deb.debian.org/debian/pool/main/d/docker-compose/docker-compose_2.26.1-4_amd64.deb
COMPOSE_SHA256 := 47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea

compose: $(STAMP) # The test of compose.yaml asks `docker compose`; where Docker lacks it, Debian's program is laid beside Python's
	@test -x $(BIN)/docker-compose || docker compose version >/dev/null 2>&1 || { \
	  $(BIN)/python -c 'import sys, urllib.request as u; u.urlretrieve(*sys.argv[1:])' $(COMPOSE) $(VENV)/compose.deb && \
	  echo "$(COMPOSE_SHA256)  $(VENV)/compose.deb" | sha256sum --check --quiet && \
	  dpkg-deb --extract $(VENV)/compose.deb $(VENV)/compose && \
	  mv $(VENV)/compose/usr/libexec/docker/cli-plugins/docker-compose $(BIN)/; } || \
	  echo "docker compose could not be had: the test of compose.yaml will be skipped."

demo: setup ## Run the pipeline on real music: make demo [AUDIO=song.mp3] [MODEL=auto]
	$(BIN)/python -m sfwidgets.demo --out $(DEMO) --model $(MODEL) $(if $(AUDIO),--audio "$(AUDIO)")

test: setup browser compose ## Run the tests, in two processes: much of their time is waiting
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

soak: setup browser compose ## Run the tests with the full counts, and those of library, jobs and server on other services
	$(BIN)/python -m pytest -q -m "soak or not soak" --timeout 3600
	$(BIN)/python -m pytest -q --services -n 2 --dist loadfile --timeout 900 tests/library tests/jobs tests/server

fuzz: setup ## Send the API whatever its description allows, and what it does not: longer than the tests do
	$(BIN)/python tests/server/fuzz.py

supabase-check: setup ## Try a real Supabase project: SUPABASE_URL and SUPABASE_SERVICE_KEY say which
	PYTHONPATH=tests $(BIN)/python -m services.supabase_check

bench: setup browser ## Measure speed and memory: separation, analysis, widgets, server, downloads, scale
	$(BIN)/python bench/separation.py
	$(BIN)/python bench/analysis.py
	$(BIN)/python bench/widgets.py
	$(BIN)/python bench/server.py
	$(BIN)/python bench/downloads.py
	$(BIN)/python bench/scale.py
	$(BIN)/python bench/queue_model.py check

screenshots: setup browser ## Render the pictures of the README
	$(BIN)/python docs/screenshots.py

lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python hatch_build.py check

lab: setup ## Open JupyterLab on the notebooks
	$(BIN)/soundforge lab

dashboard: setup ## Serve the workbench as a page, for people who never see code
	$(BIN)/soundforge dashboard

serve: setup ## Serve the HTTP API, and JupyterLab with it
	$(BIN)/soundforge serve

lock: setup ## Resolve the lock files anew
	$(PIP_COMPILE) --output-file requirements.lock pyproject.toml
	sed -i 's/+cpu$$//' requirements.lock
	$(PIP_COMPILE) --output-file requirements-spotdl.lock requirements-spotdl.in

clean: ## Remove what make made
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache $(JS)/node_modules tests/server/frontend/node_modules sfwidgets/widgets/static
