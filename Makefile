# Two commands do everything on a fresh machine: `make demo` runs the main job, `make test` passes the tests.
# `make test-all` runs the same tests with more draws, seeds and examples.
# Another interpreter (3.11 or newer): make test PYTHON=python3.13

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# What pip is asked for. Where that is a build of some gigabytes, for GPUs, pytorch.org tells how to name one without.
TORCH ?= torch==2.13.0

.PHONY: demo test test-all oldest coverage check docs hooks wheel release mutants notebooks torch engines ray browser interop bench bench-plot bench-torch bench-large bench-distributed clean

demo: $(VENV)/installed
	$(BIN)/python -m tql_frames.demo

# nbmake, where it is installed, takes seconds to load in every worker, and runs notebooks alone.
PYTEST = -m pytest -p no:nbmake
RAY_TESTS = tests/distributed/test_ray.py

# Ray's tests run in a process of their own, since Python would warn of what Ray leaves behind in whatever test runs next.
# Where Ray is not installed, they are skipped, and pytest ends with status 5.
define run_tests
$(BIN)/python $(PYTEST) $(RAY_TESTS) || test $$? = 5
$(BIN)/python $(MEASURED) $(PYTEST) -n auto --dist worksteal --ignore=$(RAY_TESTS) $(REPORT)
endef

# The tests start many processes, each of which would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

test: $(VENV)/installed-test
	$(run_tests)

# Prints the lines and branches that no test runs; those that run only in processes that tests start count among them.
# In two steps: SlipCover 1.1 would print nothing of pytest's workers if it also compared with the least.
COVERED = .cache/covered.json
coverage: MEASURED = -m slipcover --json --out $(COVERED)
coverage: $(VENV)/installed-coverage
	mkdir -p $(dir $(COVERED))
	$(run_tests)
	$(BIN)/python -m slipcover --merge $(COVERED) --out $(COVERED) --fail-under $(LEAST)

# The same of more draws, seeds and examples.
test-all: export TQL_TESTS = full
test-all: REPORT = --durations=40
test-all: coverage

# Percent of lines and branches: what the tests reach where all libraries that they try are installed; elsewhere less.
MISSED = $(strip $(foreach each,pytorch interop installed-browser,$(if $(wildcard $(VENV)/$(each)),,$(each))))
LEAST = $(if $(MISSED),80,97)

# On the oldest versions that pyproject.toml allows, in an environment of its own. Needs Python 3.11 or 3.12: the oldest NumPy
# has no wheels for newer ones. Modin, which does not take pandas 3 yet, is tried here.
OLDEST = polars==2.1.0 pandas==2.2.2 numpy==2.0.0 pyarrow==17.0.0 lark==1.2.1

oldest: $(VENV)-oldest/installed
	$(VENV)-oldest/bin/python -m pytest -n auto --dist worksteal

# What CI asks for beyond the tests.
check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.prose

# The documentation site, in site/; a warning, a broken link or a missing anchor fails the build. No network is needed.
docs: $(VENV)/installed-docs
	$(BIN)/python -m zensical build --clean --strict

# Runs Ruff and the checks of words and files before each commit, mypy before each push.
hooks: $(VENV)/installed-dev
	$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

# Builds sdist and wheel in dist/, checks both, and runs the wheel in an environment of its own.
wheel: $(VENV)/installed-release
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python -m venv --clear $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet dist/*.whl
	$(VENV)-wheel/bin/python -I -m tql_frames.demo

# The same for a version that is ready: changelog, citation, clean tree. Uploads nothing; prints the commands that do.
release: $(VENV)/installed-release
	$(BIN)/python -m tools.release
	$(MAKE) wheel
	$(BIN)/python -m tools.release --next

# Tries small changes of the code against the tests; not part of CI. ARGS="--number 20 --package tql_frames/sampling"
mutants: $(VENV)/installed-mutants
	$(BIN)/python -m tools.mutants $(ARGS)

notebooks: $(VENV)/installed-dev $(VENV)/pytorch
	$(BIN)/python -m pytest --nbmake -n auto notebooks

# Options go by ARGS: make bench ARGS="--rows 1000000 --out report.md". benchmarks/README.md tells the rest.
# ARGS=--record writes the whole report to docs/benchmarks*.md and its figures into README and guides.
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

$(VENV)-oldest/installed: pyproject.toml Makefile
	test -x $(VENV)-oldest/bin/python || $(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)-oldest/bin/python -m pip install --quiet --editable . --group test modin $(OLDEST)
	touch $@

# Where it is installed, the tests that train run too.
torch: $(VENV)/pytorch

$(VENV)/pytorch: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet "$(TORCH)" torchdata lightning accelerate transformers
	touch $@

# Where they are installed, the tests on Dask and Spark run too; Spark needs Java 17 or newer.
engines: $(VENV)/engines

$(VENV)/engines: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dask,spark]" "pyspark[connect]"
	touch $@

# The same for Ray.
ray: $(VENV)/ray

$(VENV)/ray: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[ray]"
	touch $@

# Where these and the system's Chromium are installed, the tests that drive the widget run too.
browser: $(VENV)/installed-browser

# Where they are installed, the tests on tables of other libraries run too.
interop: $(VENV)/interop

$(VENV)/interop: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[interop]"
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-wheel build dist site .coverage .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
