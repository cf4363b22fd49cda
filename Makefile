# Everything a person types. `make demo` and `make test` set up what they need by themselves.
PYTHON ?= python3
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores all
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test app config why orphans same lint format docs lock benchmark exports recipes clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

setup: .venv/installed ## make .venv from requirements.lock

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %d.%d: make PYTHON=python3.12 …" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

.venv/installed-app: .venv/installed requirements-app.lock
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-app.lock
	@touch $@

demo: .venv/installed ## drawn flowers through all five networks, then results/report.html; no download
	$(SNAKEMAKE) --configfile config/demo.yaml --quiet rules
	$(SNAKEMAKE) --configfile config/demo.yaml --report results/report.html --quiet all
	@echo "The comparison is in results/comparison/table.html, the report in results/report.html"

test: .venv/installed-dev ## all tests; what this machine cannot run is skipped with its reason
	$(BIN)/python -m pytest tests

# CONFIG names an overlay, as --configfile does for Snakemake.
TOOL := PYTHONPATH=scripts $(BIN)/python tools
RUN ?=
config: .venv/installed ## print the configuration of one run: make config RUN=lesson/efficientnet_b3
	@$(TOOL)/run_config.py "$(RUN)" config.yaml $(CONFIG)

why: .venv/installed ## what would run again, and because of which key or file: make why CONFIG=config/demo.yaml
	@$(TOOL)/why.py $(if $(CONFIG),--configfile $(CONFIG))

orphans: .venv/installed ## runs that the configuration no longer wants; REMOVE=yes removes them
	@$(TOOL)/orphans.py config.yaml $(CONFIG) $(if $(filter yes,$(REMOVE)),--remove)

same: .venv/installed ## whether two result folders come from the same inputs: make same A=results B=../other/results
	@$(TOOL)/same.py $(A) $(B)

RESULTS ?= results
PORT ?= 8080
app: .venv/installed-app ## a page on this computer: drop a photograph, see what every exported network says; RESULTS, PORT
	@$(TOOL)/app.py $(RESULTS) --port $(PORT)

lint: .venv/installed-dev ## ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

format: .venv/installed-dev ## let the formatters write
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

docs: .venv/installed ## docs/configuration.md from the schema; tables and drawings of docs/lessons from the networks
	PYTHONPATH=scripts $(BIN)/python -c 'from florilegium.configuration_page import reference_page; print(reference_page(), end="")' > docs/configuration.md
	@$(TOOL)/lesson_docs.py

lock: .venv/installed-dev ## new versions into the lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 requirements.in -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 -c requirements.lock requirements-app.in -o requirements-app.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 -c requirements.lock -c requirements-app.lock requirements-dev.in -o requirements-dev.lock

ROOT ?= $(wildcard ../shared/flowers-102)
WEIGHTS ?= $(wildcard ../shared/weights/mobilenet_v2-imagenet.pth)
benchmark: .venv/installed-dev ## docs/benchmarks.md and .csv: the course's way against ours, in one run
	$(BIN)/python benchmarks/benchmark.py $(if $(ROOT),--root $(ROOT)) $(if $(WEIGHTS),--weights $(WEIGHTS))

exports: FROM ?= results/comparison/formats.csv
DRAWN ?=
exports: .venv/installed ## docs/export.csv and the tables of docs/export.md: make exports FROM="a/formats.csv b/formats.csv"
	@$(TOOL)/export_table.py $(FROM) $(if $(DRAWN),--drawn $(DRAWN))

recipes: FROM ?= results/comparison/recipes.csv
ABLATION ?=
recipes: .venv/installed ## docs/recipes.csv and the tables of docs/recipes.md: make recipes FROM="a/recipes.csv b/recipes.csv" ABLATION=a/ablation.csv
	@$(TOOL)/recipes_table.py $(FROM) $(if $(ABLATION),--ablation $(ABLATION))

clean: ## remove results (downloads in resources/ stay)
	find results -mindepth 1 ! -name .gitkeep -delete
