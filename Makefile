# `make run` and `make test` set up everything they need, from a fresh clone, on a machine with Python 3.11 to 3.13.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 7860
# What the checks need of Debian: a browser, a PostgreSQL server that they start themselves, and node with npm.
MISSING := $(if $(shell command -v chromium 2>/dev/null),,chromium) \
	$(if $(shell command -v node 2>/dev/null),,nodejs) $(if $(shell command -v npm 2>/dev/null),,npm) \
	$(if $(wildcard /usr/lib/postgresql/*/bin/initdb)$(shell command -v initdb 2>/dev/null),,postgresql)

.PHONY: run test lint format clean system

run: $(VENV)/installed
	$(BIN)/annotator serve --port $(PORT)

test: $(VENV)/installed-dev system lint
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered
	node --test tests/js

lint: $(VENV)/installed-dev node_modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	node_modules/.bin/tsc

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) node_modules build *.egg-info

# sam2 is source-only and must be built against the torch that is there, so torch and the build tools come first.
$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0 "setuptools>=77" wheel
	SAM2_BUILD_CUDA=0 $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -e ".[dev]"
	touch $@

# Tools that check the page, pinned in package-lock.json. The page itself needs none of them.
node_modules: package.json package-lock.json | system
	npm ci --silent --no-audit --no-fund
	touch $@

system:
ifneq ($(strip $(MISSING)),)
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(MISSING) >/dev/null; \
	else echo "missing, and their tests are skipped: $(MISSING)"; fi
endif
