# Guardian: the commands of its developers.  `make run` and `make test` are all that a newcomer needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run-stamp
DEV    := $(VENV)/.dev-stamp

# its wheels are for these alone; elsewhere hypothesis fuzzes by itself
FUZZER := atheris>=3; sys_platform == 'linux' and platform_machine == 'x86_64' and python_version < '3.14'

.PHONY: help venv run test check soak requirements format bench pictures clean

help:
	@echo "make run          start the console (makes .venv first)"
	@echo "make test         all tests, with all that they need"
	@echo "make check        format, lint, layers, types: under a minute"
	@echo "make soak         the long forms of fuzzing, kill loops and soak"
	@echo "make bench        every program of bench/, quickly"
	@echo "make pictures     the pictures of docs/, from a running demo"
	@echo "make requirements pin the dependencies again from pyproject.toml"

venv: $(RUN)

$(RUN): requirements.txt pyproject.toml
	@sh .ci/need-python "$(PYTHON)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.txt $(RUN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: venv
	@exec $(BIN)/guardian-tui

test: $(DEV)
	@sh .ci/need-debian
	$(BIN)/python tests/run.py

check: $(DEV)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/python .ci/hygiene.py

soak: $(DEV)
	@sh .ci/need-debian
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	$(BIN)/python -m pytest -m soak --timeout=3600

bench: $(DEV)
	@sh .ci/need-debian
	for program in bench/[a-z]*.py; do $(BIN)/python $$program --quick || exit 1; done

pictures: $(DEV)
	$(BIN)/python docs/pictures/make.py

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: $(DEV)
	$(BIN)/python -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate --extra build --output-file requirements.txt pyproject.toml
	$(BIN)/python -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate --extra build --extra dev --output-file requirements-dev.txt pyproject.toml
	printf '%s\n' "$(FUZZER)" | $(BIN)/python -m piptools compile --quiet --generate-hashes --strip-extras --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate --output-file requirements-fuzz.txt -

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis
