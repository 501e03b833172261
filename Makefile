# The ways into this repository. Only Python 3.10 or newer, git and make are needed; the rest is put below this folder.
#
#   make demo      set everything up and check the models in examples/
#   make test      run all tests
#   make package   build metalens-<version>.vsix for VS Code
#   make lint      formatting, lints, types and import contracts, of the server and of the client
#   make bench     measure how long an edit takes to become diagnostics
#
# PYTHON chooses the interpreter; a torch that it already has is kept.  VENV is where the virtual environment goes.

PYTHON ?= python3
VENV ?= .venv

run = $(VENV)/bin

.PHONY: demo test package lint bench clean

demo: $(VENV)/ready
	@echo "$$ metalens check examples"
	@code=0; $(run)/metalens check examples || code=$$?; \
	if [ $$code -ne 1 ]; then echo "Expected exit code 1, for the mistakes in examples/, and got $$code."; exit 1; fi; \
	echo "Exit code 1: there are findings, as there should be in examples/."

test: $(VENV)/ready-to-test
	$(run)/python -m pytest

package: $(VENV)/ready
	PYTHON=$(abspath $(run)/python) scripts/package.sh

lint: $(VENV)/ready-to-test
	$(run)/ruff format --check server tests benchmarks scripts client
	$(run)/ruff check server tests benchmarks scripts client
	$(run)/mypy
	$(run)/lint-imports
	PATH=$$($(run)/python scripts/package_node.py 20):$$PATH; export PATH; \
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent check

bench: $(VENV)/ready
	$(run)/python benchmarks/edit_to_diagnostics.py

clean:
	rm -rf $(VENV) node_modules bundled dist .e2e artifacts metalens-*.vsix

$(VENV)/ready: pyproject.toml scripts/setup.py
	$(PYTHON) scripts/setup.py --venv $(VENV)

$(VENV)/ready-to-test: pyproject.toml scripts/setup.py
	$(PYTHON) scripts/setup.py --venv $(VENV) --test
