PYTHON ?= python3
BIN := .venv/bin

.PHONY: app venv test lint bench clean

app: .venv/app.stamp  ## install, prepare the database, start the product
	$(BIN)/python -m ldlva db prepare
	$(BIN)/streamlit run app.py

venv: .venv/app.stamp  ## installation alone

test: .venv/test.stamp  ## every check: style, types, layers, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

bench: .venv/test.stamp  ## print the benchmarks
	$(BIN)/python bench/train_step.py
	$(BIN)/python bench/knn.py
	$(BIN)/python bench/projection.py
	$(BIN)/python bench/web.py
	$(BIN)/python bench/results.py

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

.venv/app.stamp: requirements.txt requirements-survey.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test.stamp: requirements-dev.txt requirements-faces.txt .venv/app.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv
