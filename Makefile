# The face of the project: `make run`, `make chat`, `make test`, `make test-models`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run chat test test-models test-adapters lint clean

run: $(VENV)/.installed
	@$(BIN)/mentos serve

chat: $(VENV)/.installed
	@$(BIN)/mentos chat

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=worksteal

test-models: $(VENV)-models/.installed
	@OMP_NUM_THREADS=1 $(VENV)-models/bin/python -m pytest tests/models

test-adapters: $(VENV)/.installed-dev $(VENV)-vllm/.installed
	@MENTOS_TEST_VLLM=$(VENV)-vllm $(BIN)/python -m pytest tests/models/test_adapters.py

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(VENV)-models $(VENV)-vllm

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: install it, or say PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) -V 2>&1): install it, or say PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "The venv module is missing: on Debian and Ubuntu, run 'sudo apt-get install python3-venv'."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "설치하는 중이에요 (처음 한 번, 1~3분). Installing, once." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)-models/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "torch를 따로 설치하는 중이에요 (처음 한 번). Installing torch apart, once." >&2
	@$(PYTHON) -m venv $(VENV)-models
	@$(VENV)-models/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev-models]'
	@touch $@

$(VENV)-vllm/.installed: tests/models/make_vllm.sh
	@echo "vLLM을 따로 설치하는 중이에요 (처음 한 번, 10분쯤). Installing vLLM apart, once, for tests only: tests/models/make_vllm.sh" >&2
	@PYTHON=$(PYTHON) tests/models/make_vllm.sh $(VENV)-vllm
	@touch $@
