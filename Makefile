PY := .venv/bin/python
export PYTHONWARNINGS :=

.PHONY: run test check setup fmt docs eval bench ci clean help

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 10

run: .venv/ready ## index data/, serve on 127.0.0.1:8321, show one verified answer, keep watching
	.venv/bin/sworn serve --ask "How many days of annual leave do full-time employees get?"

test: .venv/ready ## the whole suite, network blocked
	$(PY) -m pytest -q

check: .venv/ready ## format, lint, types, import contracts, fast tests, docs tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m pytest -q -m "not slow"

setup: .venv/ready ## make the environment

.venv/ready: pyproject.toml constraints.txt
	test -x $(PY) || python3.11 -m venv .venv || python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch .venv/ready

fmt: .venv/ready ## format and fix
	.venv/bin/ruff check --fix-only -q . ; .venv/bin/ruff format -q .

docs: .venv/ready ## write the generated references
	$(PY) -m api.reference docs

eval: .venv/ready ## the gold questions of the demo organisation
	$(PY) -m eval answers

bench: .venv/ready ## one table of measurements, as ratios to peers run beside
	$(PY) -m eval.bench

clean: ## remove everything that was made here
	rm -rf .venv build dist *.egg-info data/state .pytest_cache .mypy_cache .ruff_cache .hypothesis
