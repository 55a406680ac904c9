# Two commands do everything on a fresh machine: `make demo` runs the main job, `make test` passes the tests.
# `make test-all` runs the same tests with more draws, seeds and examples.
# Another interpreter (3.11 or newer): make test PYTHON=python3.13

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# What pip is asked for. Where that is a build of some gigabytes, for GPUs, pytorch.org tells how to name one without.
TORCH ?= torch==2.13.0

.PHONY: demo test test-all check docs mutants notebooks torch engines browser interop bench bench-plot bench-torch bench-large bench-distributed clean

demo: $(VENV)/installed
	$(BIN)/python -m tql_frames.demo

# nbmake, where it is installed, takes seconds to load in every worker, and runs notebooks alone.
PYTEST = $(BIN)/python -m pytest -n auto --dist worksteal -p no:nbmake

# The tests start many processes, each of which would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

test: $(VENV)/installed-test
	$(PYTEST)

test-all: $(VENV)/installed-test
	TQL_TESTS=full $(PYTEST)

# What CI asks for beyond the tests.
check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.prose

# The documentation site, in site/; a warning, a broken link or a missing anchor fails the build. No network is needed.
docs: $(VENV)/installed-docs
	$(BIN)/python -m zensical build --clean --strict

# Tries small changes of the code against the tests; not part of CI. ARGS="--number 20 --package tql_frames/sampling"
mutants: $(VENV)/installed-mutants
	$(BIN)/python -m tools.mutants $(ARGS)

notebooks: $(VENV)/installed-dev $(VENV)/pytorch
	$(BIN)/python -m pytest --nbmake notebooks

# Options go by ARGS: make bench ARGS="--rows 1000000 --out report.md". benchmarks/README.md tells the rest.
# ARGS=--record writes the whole report to docs/benchmarks.md and its figures into README and guides.
bench: $(VENV)/installed-bench $(VENV)/pytorch $(VENV)/engines
	$(BIN)/python -m benchmarks $(ARGS)

bench-plot: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.scaling $(ARGS)

bench-torch: $(VENV)/installed-bench $(VENV)/pytorch
	$(BIN)/python -m benchmarks --cases epoch loader loader-workers loader-changing loader-values $(ARGS)

# Of 20 million rows, made once in benchmarks/data/: about 650 MB, and as much again while it runs.
bench-large: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.large $(ARGS)

# Of the same file; starts Dask and Spark on this machine.
bench-distributed: $(VENV)/installed-bench $(VENV)/engines
	$(BIN)/python -m benchmarks.distributed $(ARGS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

# Dependency groups need pip 25.1, and a new environment has the pip of its Python.
$(VENV)/installed-%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group $*
	touch $@

# Where it is installed, the tests that train run too.
torch: $(VENV)/pytorch

$(VENV)/pytorch: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet "$(TORCH)" torchdata lightning accelerate transformers
	touch $@

# Where they are installed, the tests on Dask, Spark and Ray run too; Spark needs Java 17 or newer.
engines: $(VENV)/engines

$(VENV)/engines: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dask,ray,spark]" "pyspark[connect]"
	touch $@

# Where these and the system's Chromium are installed, the tests that drive the widget run too.
browser: $(VENV)/browser

$(VENV)/browser: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[notebook]" playwright
	touch $@

# Where they are installed, the tests on tables of other libraries run too.
interop: $(VENV)/interop

$(VENV)/interop: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[interop]"
	touch $@

clean:
	rm -rf $(VENV) build dist site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
