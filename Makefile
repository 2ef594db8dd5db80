# Every target is also written as plain commands in docs/development.md.
PYTHON ?= python3
BIN := .venv/bin
export PYTHON
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help run set-up test test-quick lint types browser-test clients-test clients-test-full documents-test fuzz torture-quick torture torture-register bench requirements translations clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

run: ## start the program here: web server and scheduler, with the demonstration city
	@scripts/set-up run
	@scripts/prepare-database
	@exec $(BIN)/flask serve

test: ## install what the tests need, then lint, types and every suite
	@scripts/set-up test
	@$(MAKE) lint
	@$(MAKE) types
	@echo "→ Torture, a short run of each: kills, crashes, full disks, cut power, attacks"
	@$(MAKE) torture-quick
	@echo "→ Tests: rules, gateways, services, web, commands, browser; SQLite and PostgreSQL"
	@$(BIN)/pytest --quiet -n 2 --dist loadgroup --database all --durations 12 -m "not fragile and not full" || { \
		echo "→ Once more, one at a time, only what failed: what fails twice is a fault"; \
		$(BIN)/pytest --quiet --last-failed --last-failed-no-failures none --database all -m "not fragile and not full"; }

test-quick: ## the suites without a browser, on SQLite
	@$(BIN)/pytest --quiet -n 2 --dist loadgroup --ignore tests/browser --ignore tests/clients -m "not slow"

browser-test: ## only what only a browser shows
	@$(BIN)/pytest --quiet tests/browser

clients-test: ## feeds, invitations and replies in real calendar programs and mail servers
	@$(BIN)/pytest --quiet -m "not full" tests/clients

clients-test-full: ## those, and Thunderbird, Evolution, KCalendarCore, ruby-icalendar, sabre/vobject
	@scripts/install-test-programs full
	@$(BIN)/pytest --quiet tests/clients

documents-test: ## every document and workbook of the demonstration city, printed by LibreOffice and read back
	@scripts/install-test-programs documents
	@$(BIN)/pytest --quiet tests/documents

torture-quick: ## kills, crashes and lying servers, a short run of each (under 8 minutes)
	@$(BIN)/python -m torture suite quick --lanes 3

torture: ## the same at length (under 45 minutes); docs/reliability.md holds its figures
	@$(BIN)/python -m torture suite full --lanes 3

fuzz: ## a hundred thousand mutated mails and as many calendar files; the usual run tries some thousand
	@MUTATIONS=100000 $(BIN)/pytest --quiet -k mutated --durations 4 tests/gateways/test_replies.py \
		tests/services/test_incoming_replies.py tests/rules/test_busy.py tests/web/test_busy.py

torture-register: ## phones whose servers are killed again and again, on both databases, and careless ones
	@$(BIN)/python -m torture suite full --only sync

lint: ## ruff: style, complexity, format
	@echo "→ ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { \
		$(BIN)/ruff format --check . ; \
		echo "Run: .venv/bin/ruff format ." >&2; exit 1; }

types: ## mypy --strict
	@echo "→ mypy"
	@$(BIN)/mypy --strict --no-error-summary

bench: ## the ratios of docs/performance.md, in one run
	@for file in bench/*.py; do name=$$(basename "$$file" .py); echo "→ $$name"; $(BIN)/python -m "bench.$$name" || exit 1; done

requirements: ## pin and hash both requirement files again
	@scripts/pin-requirements

translations: ## collect the sentences of the source into the catalogues
	@scripts/collect-translations

clean: ## forget everything that set-up made (never instance/)
	@rm -rf .venv .setup .mypy_cache .ruff_cache .pytest_cache .hypothesis static/vendor
