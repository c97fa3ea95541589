# `make run` and `make test` set up everything they need, from a fresh clone, on a machine with Python 3.11 to 3.13.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE := .venv-scale
PORT ?= 7860
# Two files at a time, in their order: those that wait for the compiled model come last.
BY_FILE := --numprocesses 2 --dist loadfile --no-loadscope-reorder
# What the checks need of Debian: a browser, PostgreSQL and nginx that they start themselves, systemd to check a unit,
# and node with npm.
MISSING := $(if $(shell command -v chromium 2>/dev/null),,chromium) \
	$(if $(shell command -v node 2>/dev/null),,nodejs) $(if $(shell command -v npm 2>/dev/null),,npm) \
	$(if $(wildcard /usr/sbin/nginx)$(shell command -v nginx 2>/dev/null),,nginx) \
	$(if $(shell command -v systemd-analyze 2>/dev/null),,systemd) \
	$(if $(wildcard /usr/lib/postgresql/*/bin/initdb)$(shell command -v initdb 2>/dev/null),,postgresql)

.PHONY: run help test coverage test-scale lint format clean system

run: ## serve the page on http://127.0.0.1:$(PORT)
run: $(VENV)/installed
	$(BIN)/annotator serve --port $(PORT)

help: ## say what can be made
	@grep -hE '^[a-z-]+: ## ' $(MAKEFILE_LIST) | sed 's/\$$(PORT)/$(PORT)/' | awk -F': ## ' '{ printf "  %-10s %s\n", $$1, $$2 }'

test: ## run all checks and tests, as CI does
test: $(VENV)/installed-dev system lint
	$(BIN)/python -m pytest $(BY_FILE)
	node --test tests/js

coverage: ## run the Python tests and say what they do not reach; takes half as long again
coverage: $(VENV)/installed-dev system
	$(BIN)/python -m pytest $(BY_FILE) --cov --cov-report=term:skip-covered

test-scale: ## test with Ray, in an environment of its own
test-scale: $(SCALE)/installed system
	$(SCALE)/bin/python -m pytest tests/scale
	TEST_BACKEND=ray $(SCALE)/bin/python -m pytest tests/browser/test_workflow.py

lint: ## check style and types, of Python and of the page
lint: $(VENV)/installed-dev node_modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	node_modules/.bin/tsc

format: ## repair what ruff can repair
format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove everything that make made
clean:
	rm -rf $(VENV) $(SCALE) node_modules build *.egg-info

# sam2 is source-only and must be built against the torch that is there, so torch and the build tools come first.
$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0 "setuptools>=77" wheel
	SAM2_BUILD_CUDA=0 $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -e ".[dev]"
	touch $@

# Ray beside what is in $(VENV), which never gets it.
$(SCALE)/installed: $(VENV)/installed-dev
	$(BIN)/python -m venv --without-pip $(SCALE)
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" >"$$(echo $(SCALE)/lib/python3*/site-packages)/shared.pth"
	$(BIN)/pip --python $(SCALE)/bin/python install --quiet --disable-pip-version-check --no-build-isolation -e ".[scale]"
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
