# make demo   set everything up and run the whole workflow on synthetic recordings
# make learn  do the systems learn? trained against untrained on three data sets, three seeds: hours
#             QUICK=1 (one seed, two folds, few systems), DATA=eegmat (or icu, nights: a piece of it),
#             LEARN_DATA=folder of the recordings, BACKBONES=1 (also the encoders of Table 3)
# make test   set everything up and run the tests
# make quick  the tests that take no more than seconds: not those marked slow, no whole run of the
#             workflow, no fault of the table (the inner loop; make test before a commit)
# make bench  measure speed and memory
# make fuzz   damage 28,000 files at random and read them
# make torture  kill training and sharding at random moments and compare the results
# make edits  edit a finished run a hundred times at random and compare with runs from scratch
# make estimate  GPU-hours per table, modelled from the operations of every step; minutes, no GPU
# make check  lint, format, types
# make docs   the documentation, into .site/
# make lock   write constraints.txt and envs/physiome.yaml anew (needs uv)

PYTHON ?= python3.11
SHELL := /bin/bash
# Without the compiled modules every one of a hundred jobs would compile torch anew: four seconds.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)
WARM := python -m physiome.warm  # many small jobs: do not start Python anew for each
DEMO := --configfile workflow/overlays/demo.yaml

LEARN_DATA ?= ../shared/data
DATA ?= eegmat icu nights
SEEDS ?= $(if $(QUICK),0,0 1 2)
PIECES := $(if $(wildcard $(LEARN_DATA)),$(DATA),$(filter nights,$(DATA)))
LEARN := results/learn$(if $(QUICK),/quick)
LEARN_OVERLAYS := $(if $(BACKBONES),backbones) $(if $(QUICK),quick)

.PHONY: docs learn demo test quick bench torture edits estimate check lock fuzz

# --no-compile: modules are compiled when first imported, and most never are.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

demo: .venv/ready
	$(WARM) python -m physiome run $(DEMO) --scheduler greedy
	snakemake $(DEMO) --report results/demo/report.html --quiet all
	@python -m physiome show results/demo/tables/table{1,2,3,4,5,6}.csv
	@printf '\nTables:  results/demo/tables/table{1,2,3,4,5,6}.{csv,tex}, all there is: .long.csv\n'
	@printf 'Beside:  .intervals.csv (differences, with 95 %% intervals), .costs.csv (time, memory),\n'
	@printf '         .missing.csv (modalities really missing against hidden ones)\n'
	@printf 'Scores:  results/demo/scores.csv\n'
	@printf 'Page:    results/demo/summary.html, the run at a glance\nReport:  results/demo/report.html\n\n'

# Data set by data set and seed by seed; what is there already is not made again. A control has no
# weights, so only seed 0 scores it.
learn: .venv/ready
	@[ -n "$(strip $(PIECES))" ] || { echo 'physiome: error: no folder $(LEARN_DATA), and $(DATA) is read' \
	  'from it - LEARN_DATA=folder with eegmat/ and challenge-2015/, see docs/learning.md' >&2; exit 2; }
	@for data in $(PIECES); do \
	  for seed in $(SEEDS); do \
	    run=$(LEARN)/$$data/seed$$seed; \
	    $(WARM) snakemake $$run/pairs.json --quiet reason host --scheduler greedy --keep-going --configfile \
	      workflow/overlays/learn.yaml workflow/overlays/learn-$$data.yaml \
	      $(LEARN_OVERLAYS:%=workflow/overlays/learn-%.yaml) \
	      --config seed=$$seed results=$$run data_folder=$(LEARN_DATA) || exit; \
	  done; \
	done
	@python -m physiome learn --output $(LEARN) \
	  $(if $(wildcard $(LEARN_DATA)),,--note "Synthetic nights alone: there is no folder $(LEARN_DATA) (LEARN_DATA=...)") \
	  $(LEARN)/*/seed*/pairs.json
	@python -m physiome learn --output $(LEARN) --head centred $(LEARN)/*/seed*/pairs.json
	@printf '\nTable:  $(LEARN)/summary.csv\nFigure: $(LEARN)/summary.svg\nPage:   $(LEARN)/summary.txt\n'
	@printf 'Of heads that see the whole recording: $(LEARN)/summary.centred.csv, .svg, .txt\n\n'

test: .venv/ready
	pytest -n auto --dist loadfile

quick: .venv/ready
	pytest -n auto --dist worksteal -m 'not slow' --ignore tests/workflow --ignore-glob 'tests/faults/test_[0-9]*'

fuzz: .venv/ready
	python -m tests.fuzz

bench: .venv/ready
	python -m tests.bench

torture: .venv/ready
	python -m tests.torture

edits: .venv/ready
	python -m tests.edits

estimate: .venv/ready
	python -m tests.estimate

check: .venv/ready
	ruff check physiome tests envs
	ruff format --check physiome tests envs
	snakefmt --check Snakefile workflow
	pyright
	python envs/write.py --check
	snakemake --lint

.venv/docs: .venv/ready
	pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

docs: .venv/docs
	mkdocs build --quiet

lock:
	echo 'torch==2.13.0' > .torch-pin
	(sed '/^[^#]/,$$d' constraints.txt; uv pip compile -q --universal --all-extras --python-version 3.11 \
	  -c .torch-pin --no-annotate --no-header pyproject.toml) > constraints.new
	mv constraints.new constraints.txt && rm .torch-pin
	python envs/write.py
