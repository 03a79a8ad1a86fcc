# make run    the gateway on this machine; nothing else needs to be installed but Python 3.11 or 3.12
# make test   everything CI runs
# make lock   write constraints.txt anew after a change of pyproject.toml; make upgrade takes the newest versions
# make lowest  all tests but those of whole pools, with the lowest versions that pyproject.toml allows: lowest.txt has them
# make bench  the figures in bench/results; make bench-pinned etc. for one of them
# make compare REF=HEAD~1  this tree beside another commit, measured in turn
# make fuzz SECONDS=60; make chaos SECONDS=600 SEED=7
# make load SECONDS=60 SESSIONS=200   many clients at once: what hangs, splits or degrades
# make attack   greedy clients beside honest ones; make soak SECONDS=600   what is held after much has gone wrong

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for p in python3 python3.12 python3.11 /usr/bin/python3; do $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)

QUESTIONS := pinned profile floor latency first_request slow_router conversation translation streams memory two_processes connections promises records admin walk peers

# Tests mostly wait: so many run beside each other, whatever the machine has.
AT_ONCE ?= 4
REF ?= HEAD~1
SECONDS ?= 60
SEED ?= 1
SESSIONS ?= 200

.PHONY: run test format lock upgrade lowest bench compare fuzz chaos load attack soak clean

run: $(READY)
	@if [ -n "$$OPENAI_API_KEY" ] || grep -qs '^OPENAI_API_KEY=.' .env; then \
		exec $(BIN)/plano up config.yaml; \
	else \
		echo "OPENAI_API_KEY is not set: running demos/local with stand-in providers and router, which need no key"; \
		exec $(BIN)/plano up demos/local/config.yaml --also demos/local/Procfile; \
	fi

test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m 'not alone' --numprocesses $(AT_ONCE) --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m alone

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# For every Python and platform at once; it does not wait for an installation, which the old versions may make impossible.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --annotation-style line \
	--custom-compile-command "make lock" --output-file constraints.txt pyproject.toml

lock: $(BIN)/uv
	$(LOCK)

upgrade: $(BIN)/uv
	$(LOCK) --upgrade

LOWEST := .venv-lowest

lowest: $(BIN)/uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable '.[dev]'
	$(LOWEST)/bin/python -m pytest --ignore tests/system --ignore tests/fuzz
	$(BIN)/uv pip freeze --quiet --python $(LOWEST)/bin/python --exclude-editable > lowest.txt

bench: $(READY)
	for question in $(QUESTIONS) table; do $(BIN)/python -m bench.$$question || exit 1; done

bench-%: $(READY)
	$(BIN)/python -m bench.$*

compare: $(READY)
	$(BIN)/python -m bench.compare --with $(REF)

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

chaos: $(READY)
	$(BIN)/python -m tests.system.chaos --seconds $(SECONDS) --seed $(SEED)

load: $(READY)
	$(BIN)/python -m tests.system.load --seconds $(SECONDS) --sessions $(SESSIONS)

attack: $(READY)
	$(BIN)/python -m tests.system.attack

soak: $(READY)
	$(BIN)/python -m tests.system.soak --seconds $(SECONDS)

clean:
	rm -rf $(VENV)

$(READY): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	touch $@

$(BIN)/uv: | $(BIN)/python
	$(PIP) 'uv>=0.9,<1'

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or 3.12 was not found; install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
