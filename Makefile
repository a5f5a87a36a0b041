# GoalGraph's commands. `make help` lists them. Needs make (3.81 or newer), Python 3.11 or newer, and the package registry; each target
# installs what it needs. PYTHON=python3.12 chooses another Python, PORT=9000 and GOALGRAPH_HOME=folder another instance.

PYTHON ?= python3
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
PIP_INSTALL := python -m pip install --quiet --disable-pip-version-check --require-hashes
WORKERS ?= 2
TESTS ?= tests
LOCKED := base dev production emulator

# What `check --deploy` needs to read the production settings. These guard nothing.
DUMMY_PRODUCTION := env DJANGO_SETTINGS_MODULE=goalgraph.settings.production \
	SECRET_KEY=lint-only-7b1e94c05fd24a6c8e1b39fa2d7760c4e58f13ab9d42 \
	ALLOWED_HOSTS=api.example.com PUBLIC_URL=https://api.example.com ALLOWED_ORIGINS=https://app.example.com \
	DATABASE_URL=sqlite:////nowhere/lint.sqlite3 REDIS_URL=rediss://redis.example.com:6379/0 CELERY_BROKER_URL=sqs:// SQS_QUEUES_URL=https://sqs.us-east-1.amazonaws.com/000000000000 \
	OIDC_ISSUER=https://issuer.example.com OIDC_AUDIENCE=goalgraph EMAIL_URL=ses:// MAIL_FROM=lint@example.com \
	STRIPE_SECRET_KEY=rk_live_lintOnlyLintOnlyLintOnly STRIPE_WEBHOOK_SECRETS=whsec_lintOnlyLintOnlyLintOnly \
	STRIPE_WEBHOOK_UUID=5f0c1f3e-8f7c-4a57-9a3f-0b6f2f9d1c11 OFFER_MEDIA_BUCKET=lint \
	AUDIT_BUCKET=lint AWS_ENDPOINT_URL= AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=lint AWS_SECRET_ACCESS_KEY=lint

.PHONY: help run test lint bench soak schema lock install clean
.DELETE_ON_ERROR:

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -e 's/:.*## /|/' | awk -F'|' '{ printf "  make %-9s %s\n", $$1, $$2 }'

run: install ## Start everything, embedded, until Ctrl-C (PORT=8000, GOALGRAPH_HOME=.local)
	@$(BIN)/python -m goalgraph.adapters.local.run

test: install ## Pass the whole suite; starts and stops what it needs (TESTS=tests/x, WORKERS=2)
	$(BIN)/python -m pytest -m "not soak" -n $(WORKERS) $(TESTS)

soak: install ## The long proofs under load
	$(BIN)/python -m pytest -m soak $(TESTS)

lint: install ## ruff, mypy, import-linter, Django's deployment check, missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(DUMMY_PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING
	DJANGO_SETTINGS_MODULE=goalgraph.settings.test $(MANAGE) makemigrations --check --dry-run

bench: install ## The benchmarks, as ratios (BENCH="home --profile")
	$(BIN)/python -m tests.bench $(BENCH)

schema: install ## Write schema.graphql
	$(MANAGE) graphql_schema

lock: install ## Compile requirements/*.in to hash-locked *.txt (UPGRADE=--upgrade for newer versions)
	for name in $(LOCKED); do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url $(UPGRADE) \
			requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done

install: .venv/installed .venv-emulator/installed ## Install what the other targets need

clean: ## Remove the virtual environments and caches; the data in .local stays
	rm -rf .venv .venv-emulator .mypy_cache .ruff_cache .hypothesis .import_linter_cache staticfiles

.venv/installed: requirements/dev.txt | .venv/bin/python
	@echo "Installing requirements/dev.txt ..."
	@$(BIN)/$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

.venv-emulator/installed: requirements/emulator.txt | .venv-emulator/bin/python
	@echo "Installing requirements/emulator.txt ..."
	@.venv-emulator/bin/$(PIP_INSTALL) -r requirements/emulator.txt
	@touch $@

# One rule for both environments.
.venv/bin/python .venv-emulator/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "make: there is no $(PYTHON). Install Python 3.11 or newer, or name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $$($(PYTHON) --version) is too old; GoalGraph needs 3.11 or newer. Name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "make: $$($(PYTHON) --version) came without venv. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Creating $(patsubst %/bin/python,%,$@) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear $(patsubst %/bin/python,%,$@)
