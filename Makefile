PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.PHONY: setup demo test check

setup: $(INSTALLED)

$(INSTALLED): requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "Python 3.10 or newer is needed; make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -r requirements.txt
	touch $@

# Without make: python -m venv .venv, its python -m pip install -r requirements.txt, then the lines below.
demo: setup
	$(RUN) scripts/demo.py

test: check
	$(RUN) -m pytest

check: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy .
	@if [ -x node_modules/.bin/biome ]; then npx --no-install biome check --error-on-warnings; \
	else echo "JavaScript and CSS are not linted: npm install --no-package-lock brings biome"; fi
