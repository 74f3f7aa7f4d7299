# What .ci/run does, step by step, in an environment that has the extras test and dev.
.PHONY: test slow lint types docs build
PYTHON ?= python

test:  ## on all cores; one file: pytest tests/...
	$(PYTHON) -m pytest

slow:  ## what `make test` leaves out for its time
	$(PYTHON) -m pytest -m slow

lint:
	ruff check .
	ruff format --check .

types:  ## of a copy: mypy does not follow editable installs
	rm -rf build/mypy
	$(PYTHON) -m pip install --quiet --no-deps --target build/mypy .
	MYPYPATH=build/mypy $(PYTHON) -m mypy

docs:  ## the site, into build/site (extra docs); its blocks: pytest tests/docs
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

build:
	$(PYTHON) -m build
