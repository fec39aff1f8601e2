# Two commands do all: `make demo` shows true dashboards, `make test` proves the platform. Both call `make setup`.
# While working: `make check` in a minute. Before an issue is called resolved: `make prove` once.

SHELL := /bin/bash
BIN := .venv/bin
STAMP := .venv/.made
# pytest rewrites the asserts of each test file, and keeps the result as bytecode: where the environment forbids that, every worker does it anew each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo check test prove mutants coverage soak fuzz test-bigquery test-metabase setup dev lint lint-python lint-types lint-imports lint-sql format docs lock chromium postgres bench infra audit licences sbom clean

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: setup ## 90 simulated days of every asset, every check, the dashboards: no key, no account, no Docker
	@$(BIN)/ai-usage demo

check: setup lint ## Linters and what a change usually breaks, in a minute and a half
	@$(BIN)/pytest --each-within 4 $(ARGS)

test: setup chromium postgres lint ## The whole test suite, linters first
	@$(BIN)/pytest $(ARGS)

prove: setup chromium postgres lint ## Exhaustive: every fault on every endpoint, every law on both engines, fresh examples, mornings with kills; two hours
	@AI_USAGE_TEST_PROVE=1 $(BIN)/pytest --timeout 1800 $(ARGS)

mutants: setup ## Wrong changes to the product, one at a time, each with the test that notices it
	@$(BIN)/python -m ai_usage_tests.mutants $(ARGS)

coverage: setup chromium postgres ## The share of ai_usage/ that the test suite runs, by lines; child processes count
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest $(ARGS); code=$$?; $(BIN)/coverage combine -q && $(BIN)/coverage report --skip-covered --sort cover && exit $$code

soak: setup ## A month of simulated mornings with kills, outages and a full disk, scored: SEED=7 DAYS=30 [TRIALS=a,b] [MINUTES=60] [REPORT=file.md]
	@nice -n 5 $(BIN)/python -m ai_usage_tests.soak --seed $(or $(SEED),7) --days $(or $(DAYS),30) --minutes $(or $(MINUTES),inf) --trials "$(TRIALS)" $(if $(REPORT),--report $(REPORT))

fuzz: setup ## Text from outside, guided by coverage: [TARGET=page|records|csv|cell|setting|question] [SECONDS=1800] of each
	@scripts/fuzz "$(TARGET)" $(or $(SECONDS),1800)

test-metabase: setup ## Apply, an empty plan and verify against the live Metabase at URL=…; one that nobody needs
	@test -n "$(URL)" || { echo "make test-metabase needs URL=http://host:port of a Metabase that nobody needs" >&2; exit 2; }
	@METABASE_URL=$(URL) $(BIN)/ai-usage metabase apply && METABASE_URL=$(URL) $(BIN)/ai-usage metabase plan && METABASE_URL=$(URL) $(BIN)/ai-usage metabase verify

setup: $(STAMP) ## Everything into .venv; the command is .venv/bin/ai-usage

$(STAMP): requirements.lock pyproject.toml scripts/setup
	@scripts/setup
	@touch $@

dev: setup ## Dagster's UI with everything loaded, the schedule and the sensors, on http://localhost:3000
	@$(BIN)/ai-usage dev

lint: setup ## ruff, mypy, import rules, sqlfluff
	@$(MAKE) --no-print-directory -j 2 --output-sync=target lint-sql lint-types lint-imports lint-python

lint-python:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

lint-types:
	@$(BIN)/mypy

lint-imports:
	@$(BIN)/lint-imports >/dev/null || $(BIN)/lint-imports

lint-sql:
	@$(BIN)/sqlfluff lint sql --disable-progress-bar --nocolor >/dev/null || $(BIN)/sqlfluff lint sql --disable-progress-bar

format: setup ## Rewrite Python in the one format
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

docs: setup ## Write the generated pages: tables, settings, assets, commands, templates, lineage
	@$(BIN)/python -m ai_usage.docsgen

lock: setup ## Resolve the dependencies anew, for 3.11 and later, with hashes and without index addresses
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade --group dev pyproject.toml -o requirements.lock

test-bigquery: setup ## The BigQuery tests against a real project: PROJECT=... DATASET=<empty scratch dataset> [LOCATION=EU]
	@test -n "$(PROJECT)" -a -n "$(DATASET)" || { echo "Name them: make test-bigquery PROJECT=... DATASET=... (an empty scratch dataset; docs/how-to/bigquery.md)."; exit 2; }
	@AI_USAGE_TEST_BIGQUERY_PROJECT=$(PROJECT) AI_USAGE_TEST_BIGQUERY_DATASET=$(DATASET) AI_USAGE_TEST_BIGQUERY_LOCATION=$(or $(LOCATION),US) \
		$(BIN)/pytest -n 0 -v ai_usage_tests/e2e/test_bigquery_week.py

chromium: ## A browser for the tests: found, or installed where that is possible
	@scripts/chromium >/dev/null || true

postgres: ## PostgreSQL for the deployment test: found, or installed where that is possible
	@scripts/postgres >/dev/null || true

infra: setup ## Linters of Dockerfile, Compose and Terraform, each fetched in one version
	@scripts/infra

audit: setup ## Known vulnerabilities of the locked packages; needs the network of the vulnerability service
	@scripts/audit

sbom: setup ## The parts of the wheel as CycloneDX, dist/ai-usage-analytics.cdx.json: versions and hashes as locked
	@mkdir -p dist && scripts/sbom --output-file dist/ai-usage-analytics.cdx.json

licences: setup ## The licence of every package that the product installs, against the list of allowed ones
	@$(BIN)/python scripts/licences.py

bench: setup ## What commands, a run and a load cost, as ratios, beside a floor or a peer
	@nice $(BIN)/python benchmarks/commands.py --runs 5
	@nice $(BIN)/python benchmarks/load_cursor_events.py --runs 5 --latency-ms 0
	@nice $(BIN)/python benchmarks/daily_run.py --runs 5

clean: ## Remove the environment and the demo's data
	@rm -rf .venv data/demo
