# The commands of this repository. Only Python 3.11+, git and make are needed: uv is fetched when it is not there.
PYTHON ?= python3
DEST ?= build/demo
UV := $(or $(shell command -v uv 2>/dev/null),build/uv/bin/uv)
export UV_CACHE_DIR ?= $(CURDIR)/build/uv-cache
unexport VIRTUAL_ENV UV_PROJECT_ENVIRONMENT PYTHONDONTWRITEBYTECODE PYTHONPATH

.PHONY: env node providers checkov test lint bench mutants demo clean

# The tests run against the installed wheel, never the working tree: a gate is known by the distribution it comes from.
env: $(UV)
	@"$(UV)" sync --locked --no-editable --quiet

# The npm programs that tests run; node and npm themselves come with the environment.
node: env build/node/node_modules/.package-lock.json

build/node/node_modules/.package-lock.json: tests/ci/package.json tests/ci/package-lock.json
	@mkdir -p build/node
	@cp tests/ci/package.json tests/ci/package-lock.json build/node
	@PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --prefix build/node --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

# The published schemas of the clouds' Terraform providers, from which the tests build stand-ins for them.
providers: env build/providers/fetched

build/providers/fetched: tests/terraform/packages.sha512
	@mkdir -p build/providers
	@sed -E 's|.*  cdktf-(provider-[a-z]+)-([0-9.]+)\.tgz|@cdktf/\1@\2|' $< \
		| (cd build/providers && PATH="$(CURDIR)/.venv/bin:$$PATH" xargs npm pack --silent >/dev/null)
	@cd build/providers && sha512sum --check --quiet "$(CURDIR)/$<"
	@touch $@

# Checks Terraform code, from an environment of its own: its pins fit no other.
checkov: build/checkov/installed

build/checkov/installed: $(UV) tests/terraform/checkov/uv.lock
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/build/checkov" "$(UV)" sync --project tests/terraform/checkov --locked --quiet
	@touch $@

# One test process a core, each with a ZenML store of its own.
test: env
	REQUIRE_ALL=$(REQUIRE_ALL) .venv/bin/pytest --numprocesses auto --dist loadfile $(ARGS)

mutants: env node providers
	.venv/bin/python tools/mutants.py --uv "$(UV)" --only "$(ONLY)"

bench: env
	.venv/bin/python tools/bench.py --uv "$(UV)" --only "$(ONLY)"

demo: env
	.venv/bin/python tools/demo.py --uv "$(UV)" --dest "$(DEST)" $(ANSWERS)

lint: env
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/shellcheck .ci/run
	.venv/bin/zizmor --offline --quiet .github/workflows
	.venv/bin/yamllint --strict .github copier.yml governance_core

build/uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv build/uv || { echo "python3 lacks venv: install python3-venv, or put uv on PATH" >&2; exit 2; }
	@build/uv/bin/python -m pip install --quiet "uv>=0.9"

clean:
	rm -rf .venv build dist
