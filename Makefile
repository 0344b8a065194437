# Everything a person or a CI job does to this project, by name.  `make` alone lists it.
#
# Beforehand only Python >= 3.11 and make are needed: the first call makes .venv, installs what
# requirements/dev.lock pins (every file by its hash), and then the project itself, editable.

VENV := .venv
BIN := $(VENV)/bin
# Which Python makes .venv: the first of these that is new enough and can make one.
PYTHONS := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
# Handed on to the program behind a target: make test ARGS="-k ring", make demo ARGS=--loopback.
ARGS :=

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.ONESHELL:
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check bench bench-scale sim wheel lock clean

help: ## this list
	@echo "make TARGET [ARGS=...]"
	sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## a cluster of three daemons that allocates, is cut in two, heals; under a minute
	@exec $(BIN)/weaveipam demo $(ARGS)

test: $(VENV)/installed ## every test that this machine can run; others are skipped by name, with the reason
	@exec $(BIN)/pytest $(ARGS)

check: $(VENV)/installed ## format, lint, types and import rules
	@echo "ruff format"; $(BIN)/ruff format --check .
	echo "ruff check"; $(BIN)/ruff check .
	echo "mypy"; $(BIN)/mypy
	echo "lint-imports"; $(BIN)/lint-imports --no-logo

bench: $(VENV)/installed ## the measurements of tests/bench, one table each
	@for bench in tests/bench/bench_*.py; do
	  echo "== $$bench"
	  $(BIN)/python "$$bench"
	done

bench-scale: $(VENV)/installed ## docs/reference/scale.md, what it lacks; hours; ARGS="--nodes 10,100 --again"
	@exec $(BIN)/python -m simulations scale $(ARGS)

sim: $(VENV)/installed ## a simulated cluster and drawn faults; ARGS="run --seeds 1-100", ARGS=list
	@exec $(BIN)/python -m simulations $(or $(ARGS),run)

wheel: $(VENV)/installed ## dist/weaveipam-VERSION-py3-none-any.whl, with the CNI programs inside
	@rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist
	ls -l dist

lock: ## both files of requirements/ anew from pyproject.toml; ARGS=--upgrade takes newer releases
	@$(find_python)
	[ -x .cache/uv/bin/uv ] || { "$$python" -m venv .cache/uv && .cache/uv/bin/pip install --quiet uv; }
	uv() {
	  .cache/uv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --custom-compile-command "make lock" $(ARGS) "$$@" > /dev/null
	}
	uv pyproject.toml --output-file requirements/runtime.lock
	uv pyproject.toml --group pyproject.toml:dev --output-file requirements/dev.lock
	echo "requirements/runtime.lock and requirements/dev.lock are up to date with pyproject.toml"

clean: ## remove what was built; .venv stays
	@rm -rf build dist cni/bin .cache .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	rm -f $(VENV)/installed

# --- the environment ---------------------------------------------------------------------------

# Sets $python, or says in one sentence what is missing.  Debian splits the module that makes
# environments (ensurepip) into a package of its own; an interpreter that has it is preferred.
define find_python
python=; bare=
for candidate in $(PYTHONS); do
  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
  if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then python=$$candidate; break; fi
  bare=$${bare:-$$candidate}
done
if [ -z "$$python" ] && [ -n "$$bare" ]; then
  echo "$$bare cannot make an environment: it lacks ensurepip. On Debian and Ubuntu this mends it:" >&2
  echo "  apt-get install python3-venv" >&2
  exit 1
fi
if [ -z "$$python" ]; then
  echo "weaveipam needs Python 3.11 or newer, and none of these is one: $(strip $(PYTHONS))." >&2
  echo "Install one, or name it: make PYTHON=/path/to/python3.12" >&2
  exit 1
fi
endef

# What the locked packages are.  An environment whose interpreter has gone is made again.
$(VENV)/locked: requirements/dev.lock
	@if ! $(BIN)/python -c '' 2>/dev/null; then
	  $(find_python)
	  echo "Making $(VENV) with $$("$$python" --version) ($$(command -v "$$python"))"
	  "$$python" -m venv --clear $(VENV)
	fi
	echo "Installing $$(grep -c '^[a-z0-9].*==' $<) packages into $(VENV), each checked against its hash in $<."
	echo "Once: 150 MB to download, 600 MB on disk; most of it is ziglang, the C compiler for the CNI program."
	$(BIN)/python -m pip install --require-hashes --requirement $<
	touch $@

# The project itself.  Editable: Python sources need no second call; only what the build hook makes does.
$(VENV)/installed: $(VENV)/locked pyproject.toml $(wildcard hatch_build.py cni/shim.c)
	@echo "Installing weaveipam into $(VENV) (editable), and building the CNI program"
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
