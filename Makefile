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

docs:  ## examples in docstrings, the README's commands, and that the README names what is public
	$(PYTHON) -m pytest tests/test_package.py tests/integration/test_readme.py

build:
	$(PYTHON) -m build
