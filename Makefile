# One target per verb of the command line; `make help` lists them.

MAKEFLAGS += --no-print-directory
override SHELL := /bin/sh
.NOTPARALLEL:
.DEFAULT_GOAL := help

# What a user or a CI job gives is data: no make function and no shell may run what is in it, and what is run here is
# not theirs to give (override). Its raw text goes to recipes as the variable given_NAME of their environment, where
# "$$given_NAME" is a word and nothing more.
override GIVEN := STACK GPU JSON TLS STACKS UPGRADE PENDING VERIFY FROZEN OFFLINE HOST IMAGE CONTAINER CHECKS PROBE_PYTHON OUT \
	SPLIT BASE BUNDLE OVERWRITE_STACKS KEY SIGNATURE LOG FORMAT REPORT SAVE_ROOT ONLY FIX SHELL_NAME \
	NAME FROM REGISTRY TAG REQUIRE_SMOKE EVIDENCE COMPRESSION MOUNT REBUILD \
	SINCE RUNNER GPU_RUNNER BRANCH PROVIDER YES FILES_ONLY AT_ONCE ADVISORIES SERVICE
$(foreach name,$(GIVEN),$(eval override given_$(name) := $$(value $(name)))$(eval export given_$(name))$(eval unexport $(name)))
# tools/venv.sh and the program read these by their own names.
$(foreach name,CA_BUNDLE OFFLINE WHEELS PYTHON,$(if $(value $(name)),$(eval override $(name) := $$(value $(name)))$(eval export $(name))))
override given_GPU := $(or $(given_GPU),auto)
override comma := ,
# IFS and -f: a list of names is split at commas and spaces, and no name is a pattern of files.
override run := set -f; set --; for folder in $$given_STACKS; do set -- "$$@" --stacks "$$folder"; done; IFS=' ,'; \
	exec .venv/bin/python -m builder $(if $(given_JSON),--json) $(if $(given_TLS),--set "tls=$$given_TLS") "$$@"
override names := $(if $(strip $(subst $(comma), ,$(given_STACK))),-- $$given_STACK)
override offline := $(if $(given_OFFLINE),--offline)

override VERBS := new list check lock fetch render compose build bake smoke stack reproduce sbom audit report publish share verify matrix ci prune export import engine doctor
.PHONY: help venv $(VERBS) lint test test-heavy rehearsal truth bench schema completion clean

help: ## this list
	@echo 'make TARGET… [STACK=NAME,NAME | STACK=all]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo
	@echo 'STACK=      stacks: one, several by comma, or all (stack, lock, fetch, …: onnx-cpu if not given)'
	@echo 'GPU=        auto, none or require, for stack and smoke'
	@echo 'IMAGE=REF, CONTAINER=NAME, HOST=local  smoke: the target; CHECKS=NAME,NAME, PROBE_PYTHON=PATH, OUT=DIR'
	@echo 'NAME=, FROM= new: the stack, and a file, folder, https://…@COMMIT, container:NAME or image:REFERENCE'
	@echo 'UPGRADE=1   lock: resolve anew    VERIFY=1  fetch: hash every file again'
	@echo 'PENDING=1   lock: leave what cannot be reached unresolved, for a later run'
	@echo 'STACKS=DIR  a folder of your own stacks and families    JSON=1  one JSON document on stdout'
	@echo 'FROZEN=1    fetch, build, stack: refuse hashes that are pending instead of recording them'
	@echo 'OFFLINE=1   ask no network; WHEELS=DIR  the folder our own wheels then come from'
	@echo 'HOST=1      check: this machine too    FIX=1  doctor: mend what is safe    ONLY=host  doctor: or network'
	@echo 'CONTAINER=NAME  doctor: look into a running container instead, changing nothing    REPORT=FILE.md  and write it down'
	@echo 'LOG=FILE  doctor: name the known failures in a log of a build, an install or a run (- for standard input)'
	@echo 'FORMAT=markdown  doctor LOG=FILE: for pasting into an issue'
	@echo 'SAVE_ROOT=FILE  doctor: save the roots that are not trusted, to show to an administrator'
	@echo 'CA_BUNDLE=  PEM or DER files, or folders, to trust beside the system store'
	@echo 'TLS=hash-locked  fetch: locked files may come over unverified TLS, held to their sha256 (docs/settings.md)'
	@echo 'make ends with 2 on any failure; .venv/bin/modelstacks VERB gives the exact exit codes:'
	@echo '0 done, 1 the job failed, 2 the input is wrong, 3 the surroundings lack something'

venv: ## the virtual environment, from hash-checked wheels (every target makes it)
	@$(if $(given_unknown),tools/variables.sh $(KNOWN))
	@tools/venv.sh

engine: venv ## have a usable Docker Engine and mmdebstrap: install and start them as root on Debian or Ubuntu
	@$(run) engine

list: venv ## the stacks there are, and how far each one is
	@$(run) list

new: venv ## a stack.yaml from what a model has already (NAME=, FROM=FILE, folder, https://…@COMMIT, container:NAME or image:REF)
	@$(run) new $(call given,FROM,from) $(if $(filter command,$(origin NAME)),-- "$$given_NAME")

check: venv ## hold stacks and their locks against the known facts, with HOST=1 this machine too (all, if not given)
	@$(run) check $(if $(filter command,$(origin HOST)),$(if $(given_HOST),--host)) $(names)

lock: venv ## resolve stacks and write their locks, every file by hash
	@$(run) lock $(if $(given_UPGRADE),--upgrade) $(if $(given_PENDING),--pending) $(or $(names),onnx-cpu)

fetch: venv ## bring everything the locks name to wheels/ and assets/, verified
	@$(run) fetch $(if $(given_VERIFY),--verify) $(if $(given_FROZEN),--frozen) $(offline) $(or $(names),onnx-cpu)

render: venv ## write build/NAME/Dockerfile and its named contexts
	@$(run) render $(or $(names),onnx-cpu)

compose: venv ## write how an image is run: build/NAME/compose.yaml, and pod.yaml for Kubernetes
	@$(run) compose $(or $(names),onnx-cpu)

build: venv ## build images from what was fetched, without a network
	@$(run) build $(if $(given_FROZEN),--frozen) $(offline) $(or $(names),onnx-cpu)

bake: venv ## write build/docker-bake.json, by which docker buildx bake builds the same images (OUT=FILE)
	@$(run) bake $(if $(given_OUT),--out "$$given_OUT") $(offline) $(or $(names),onnx-cpu)

# only from make's command line: some shells export HOST
override given = $(if $(filter command,$(origin $1)),--$2 "$$given_$1")
override target = $(call given,IMAGE,image) $(call given,CONTAINER,container) $(call given,HOST,host)
smoke: venv ## run the smoke tests inside the built images, or on IMAGE=, CONTAINER= or HOST=local
	@$(run) smoke --gpu "$$given_GPU" $(target) $(call given,CHECKS,checks) $(call given,PROBE_PYTHON,python) $(if $(given_OUT),--out "$$given_OUT") $(or $(names),$(if $(strip $(target)),,onnx-cpu))

stack: venv ## everything: lock where needed, fetch, build, smoke
	@$(run) stack --gpu "$$given_GPU" $(call given,AT_ONCE,at-once) $(if $(given_FROZEN),--frozen) $(offline) $(or $(names),onnx-cpu)

reproduce: venv ## build twice from nothing and compare the images
	@$(run) reproduce $(or $(names),onnx-cpu)

sbom: venv ## list what an image holds, from its lock: CycloneDX and SPDX in build/NAME/sbom (OUT=DIR)
	@$(run) sbom $(if $(given_OUT),--out "$$given_OUT") $(or $(names),onnx-cpu)

audit: venv ## known vulnerabilities of the locked packages (all, if not given; ADVISORIES=FILE asks no network)
	@$(run) audit $(call given,ADVISORIES,advisories) $(call given,SERVICE,service) $(offline) $(names)

report: venv ## write a page about each stack and an index of them to build/report (all, if not given; OUT=DIR EVIDENCE=DIR)
	@$(run) report $(if $(given_OUT),--out "$$given_OUT") $(call given,EVIDENCE,evidence) $(names)

publish: venv ## push images, signed, with SBOM, provenance and evidence, to REGISTRY=HOST/NAME (KEY=FILE, REQUIRE_SMOKE=gpu, TAG=)
	@$(run) publish --registry "$$given_REGISTRY" $(call given,KEY,key) $(call given,TAG,tag) $(call given,REQUIRE_SMOKE,require-smoke) $(call given,EVIDENCE,evidence) $(call given,COMPRESSION,compression) $(call given,MOUNT,mount) $(or $(names),onnx-cpu)

share: venv ## put the files of locks into a registry, from where other builders fetch them (REGISTRY=HOST/NAME, or the setting `files`)
	@$(run) share $(call given,REGISTRY,registry) $(or $(names),onnx-cpu)

verify: venv ## hold a published image, byte by byte, against what its publisher signed (IMAGE=HOST/NAME:TAG KEY=FILE, REBUILD=1)
	@$(run) verify $(call given,IMAGE,image) $(call given,KEY,key) $(call given,REQUIRE_SMOKE,require-smoke) $(if $(given_REBUILD),--rebuild)

matrix: venv ## the stacks that a change touches, for a pipeline (SINCE=REV FORMAT=github; all, if not given)
	@$(run) matrix $(call given,SINCE,since) $(call given,FORMAT,format) $(call given,RUNNER,runner) $(call given,GPU_RUNNER,gpu-runner) $(call given,REGISTRY,registry) $(call given,BRANCH,branch) $(names)

ci: venv ## write a thin pipeline (PROVIDER=github or gitlab, REGISTRY=HOST/NAME)
	@$(run) ci $(call given,PROVIDER,provider) $(call given,REGISTRY,registry) $(call given,BRANCH,branch) $(call given,RUNNER,runner) $(call given,GPU_RUNNER,gpu-runner) $(if $(given_OUT),--out "$$given_OUT")

prune: venv ## say which files and images no lock names any more (YES=1 removes them, FILES_ONLY=1 leaves images)
	@$(run) prune $(if $(given_YES),--yes) $(if $(given_FILES_ONLY),--files-only)

export: venv ## write stacks and all they need to one bundle in dist/ (OUT=, SPLIT=4G, BASE=EARLIER)
	@$(run) export $(if $(given_OUT),--out "$$given_OUT") $(if $(given_SPLIT),--split "$$given_SPLIT") $(if $(given_BASE),--base "$$given_BASE") $(call given,KEY,key) $(call given,SIGNATURE,signature) $(offline) $(or $(names),onnx-cpu)

import: venv ## verify a bundle, then put its files in place (BUNDLE=FILE, list of parts or folder)
	@$(run) import $(if $(given_OVERWRITE_STACKS),--overwrite-stacks) $(call given,KEY,key) $(call given,SIGNATURE,signature) -- "$$given_BUNDLE"

doctor: venv ## say what is wrong with this machine and the network, and the settings in force (all stacks, if not given)
	@$(run) doctor $(call given,LOG,log) $(call given,FORMAT,format) $(call given,CONTAINER,container) $(call given,REPORT,report) $(if $(given_SAVE_ROOT),--save-root "$$given_SAVE_ROOT") $(if $(given_ONLY),--only "$$given_ONLY") $(if $(given_FIX),--fix) $(offline) $(names)

lint: venv ## ruff, mypy --strict and the rule of layers
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet . || { echo 'error: unformatted files; fix: .venv/bin/ruff format .' >&2; exit 1; }
	@.venv/bin/mypy --no-error-summary
	@said=$$(.venv/bin/lint-imports --no-cache --no-logo) || { echo "$$said" >&2; exit 1; }

# Two at a time at most, a file of tests by one: each of the two builds what its files share, and the engine builds beside
# them; a third would build it all once more. On one core there is one.
test: lint ## lint and the tests that take a minute or less each
	@.venv/bin/pytest -q -m 'not heavy' -n auto --maxprocesses 2 --dist loadfile

test-heavy: venv ## the long tests
	@.venv/bin/pytest -q -m heavy

rehearsal: venv ## a shipped stack where its hosts cannot be reached: what is real, what stands in, its smoke tests (STACK=NAME)
	@.venv/bin/python -m tests.rehearsal $(names)

truth: venv ## all that needs hours or real sources; what ran real, what stood in, into docs/truth.md (STACK= some rehearsals alone)
	@.venv/bin/python -m tests.rehearsal.truth $(names)

bench: venv ## measure what the README claims
	@for file in bench/*.py; do .venv/bin/python "$$file" || exit; done

schema: venv ## write stacks/schema.json anew
	@.venv/bin/python -m builder.spec.schema

completion: venv ## print the shell completion script (SHELL_NAME=bash, zsh or fish)
	@$(run) completion -- $(if $(given_SHELL_NAME),"$$given_SHELL_NAME",bash)

clean: ## remove build/ and the tools' caches; never wheels/ or assets/
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache
	@find builder tests bench tools stacks -name __pycache__ -type d -prune -exec rm -rf {} +

# What is given on make's command line and read by nothing is a word mistyped; at the end, where all else has its origin.
override KNOWN := $(GIVEN) CA_BUNDLE WHEELS PYTHON
override given_unknown := $(filter-out $(KNOWN) MAKEFLAGS,$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
export given_unknown
