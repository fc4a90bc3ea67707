# On a fresh machine with Python >= 3.10 and make, each of these alone is enough:
#   make demo    make test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# kept bytecode: pytest's own of the tests, and that of the package for each process that they start
TESTS := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal
# the tested versions need Python >= 3.11; on 3.10 pip takes the newest that fit
CONSTRAINTS = $(shell $(PYTHON) -c "import sys; print('-c constraints.txt' * (sys.version_info >= (3, 11)))")

.PHONY: help demo test slow grid check generate wheel clean
help:
	@echo "make demo      prove on this machine, offline, that pretraining helps"
	@echo "make test      run the tests"
	@echo "make slow      run the tests that take long"
	@echo "make grid      run every way to stop and resume a run, and the kill tests; make slow runs half"
	@echo "make check     format, lint, types, generated files"
	@echo "make generate  write generated files anew: recipes/, completions/, docs/, benchmarks/"
	@echo "make wheel     build the wheel into dist/"

demo: $(INSTALLED)
	$(BIN)/videomae demo

test: $(INSTALLED)
	$(TESTS)

slow: $(INSTALLED)
	$(TESTS) -m slow

grid: $(INSTALLED)
	$(TESTS) -m "grid or slow" tests/e2e/test_resume_grid.py tests/e2e/test_kill_loop.py tests/e2e/test_kill_features.py

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python recipes/generate.py --check
	$(BIN)/python completions/generate.py --check
	$(BIN)/python docs/file_map.py --check
	$(BIN)/python benchmarks/write_tables.py --check
	$(BIN)/python benchmarks/write_science.py --check

generate: $(INSTALLED)
	$(BIN)/python recipes/generate.py
	$(BIN)/python completions/generate.py
	$(BIN)/python docs/file_map.py
	$(BIN)/python benchmarks/write_tables.py
	$(BIN)/python benchmarks/write_science.py

wheel: $(INSTALLED)
	$(BIN)/python -m build --wheel

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit('videomae needs Python 3.10 or newer, this is ' + sys.version.split()[0] + ': try make PYTHON=python3.12' if sys.version_info < (3, 10) else 0)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(CONSTRAINTS) -e ".[test]"
	@touch $(INSTALLED)

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
