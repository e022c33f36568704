# make demo   set everything up and run the whole workflow on synthetic recordings
# make test   set everything up and run the tests
# make bench  measure speed and memory
# make check  lint, format, types
# make lock   write constraints.txt and envs/physiome.yaml anew (needs uv)

PYTHON ?= python3.11
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
DEMO := --configfile workflow/overlays/demo.yaml

.PHONY: demo test bench check lock

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

demo: .venv/ready
	snakemake $(DEMO) --quiet rules
	snakemake $(DEMO) --report results/demo/report.html --quiet all
	@printf '\nTables:  results/demo/tables/table1.csv  table1.tex  table2.csv  table2.tex\n'
	@printf 'Scores:  results/demo/scores.csv\nReport:  results/demo/report.html\n\n'
	@python -m physiome show results/demo/tables/table1.csv results/demo/tables/table2.csv

test: .venv/ready
	pytest -n auto --dist loadfile

bench: .venv/ready
	python -m tests.bench

check: .venv/ready
	ruff check physiome tests envs
	ruff format --check physiome tests envs
	snakefmt --check Snakefile workflow
	pyright
	python envs/write.py --check
	snakemake --lint

lock:
	echo 'torch==2.13.0' > .torch-pin
	(sed '/^[^#]/,$$d' constraints.txt; uv pip compile -q --universal --all-extras --python-version 3.11 \
	  -c .torch-pin --no-annotate --no-header pyproject.toml) > constraints.new
	mv constraints.new constraints.txt && rm .torch-pin
	python envs/write.py
