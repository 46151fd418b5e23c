# The one entry point. Plain `make` prints the list below; every output goes under build/.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON  ?= python3#  interpreter that makes .venv (3.10 or newer)
JOBS    ?= 2#        tests at a time
FAST    ?=#          1: `make test` leaves out what compiles, simulates, or takes long
EPOCHS  ?= 22#       of `make train`
BACKEND ?= cpu#      of `make accuracy`; golden takes some minutes
DATASET ?= /usr/share/datasets/fashion-mnist#  of both; Debian: dataset-fashion-mnist
VENV   := .venv/bin
PIP    := $(VENV)/python -m pip
# Threads of a process of each test would wait for those of the others, and wait in a loop.
ONE_THREAD := OPENBLAS_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(VENV)/pytest -n $(JOBS)
# What `make evidence` packs of it.
RESULT = $(if $(FAST_ON),,--result build/$(1).json)
# Nothing is compiled to bytecode before it is imported.
INSTALL := install -qq --disable-pip-version-check --no-compile
export FAST
# Options of scripts that take a seed, where one is asked for.
SEED_OPTION = $(if $(strip $(SEED)),--seed '$(strip $(SEED))')
FAST_ON := $(filter-out 0 no false off,$(shell echo "$(FAST)" | tr A-Z a-z))
# With the first the asserts of what the tests share would say nothing; with the second each of the
# thousands of processes would compile all that it imports.
unexport PYTHONOPTIMIZE PYTHONDONTWRITEBYTECODE

##@ Use it
demo: .venv/.run            ## classify the shipped pictures with the shipped model; build/demo.png
	@mkdir -p build
	$(VENV)/qnn classify params/samples/*.png --model fashion-cnv --top 3 --save build/demo.png

setup: .venv/.dev           ## only make the environment in .venv

##@ Every change
test: environments          ## all that needs no board, no vendor tool and no night; CI runs this
	@mkdir -p build
	$(PYTEST) $(call RESULT,tests) --dist load --maxschedchunk 1 -m 'not nightly' tests
	$(if $(FAST_ON),,TIMES= $(ON_PYNQ) $(call RESULT,tests-pynq))
environments:
	@$(MAKE) --no-print-directory -j2 .venv/.dev $(if $(FAST_ON),,.venv-pynq/.dev)
lint: .venv/.dev            ## ruff and mypy over the Python
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy

##@ The shipped model
accuracy: .venv/.run        ## its accuracy on the 10,000 Fashion-MNIST test pictures
	@test -d $(DATASET) || { echo "$(DATASET) is missing: apt install dataset-fashion-mnist, \
	or make accuracy DATASET=DIRECTORY"; exit 2; }
	@mkdir -p build
	$(VENV)/qnn eval --model fashion-cnv --backend $(BACKEND) --save build/confusion.png $(DATASET)
bench-cluster: .venv/.dev   ## pictures a second of `qnn worker`s here, one killed, 100 boards asleep
	$(VENV)/python scripts/bench_cluster.py --dataset $(DATASET)
train: .venv/.train         ## train it again (about an hour on two cores) into params/networks
	$(VENV)/python scripts/train_fashion.py --epochs $(EPOCHS) --checkpoint build/train/fashion.pt
	$(VENV)/python scripts/export_fashion.py build/train/fashion.pt params

##@ House-keeping
clean:                      ## remove build/ and the environments
	rm -rf build .venv .venv-pynq

.venv/bin/python:
	$(PYTHON) scripts/make_venv.py .venv
.venv/.run: pyproject.toml | .venv/bin/python
	$(PIP) $(INSTALL) --editable '.[run]'
	@touch $@
.venv/.dev: pyproject.toml | .venv/bin/python
	$(PIP) $(INSTALL) --editable '.[dev]'
	@touch $@
.venv/.train: pyproject.toml | .venv/bin/python
	$(PIP) $(INSTALL) --editable '.[train]'
	@touch $@

include rtl/rtl.mk
-include host/host.mk examples/examples.mk hls_kernels/hls.mk scripts/vivado.mk tests/regress.mk tests/formal.mk

help:
	@awk -F ':.*## ' '/^##@/ {print "\n" substr($$0, 5)} \
	  /^[a-z%-]+:.*## / {printf "  %-16s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nVariables and their defaults\n'; awk -F ' *[?]=|# *' \
	  '/^[A-Z0-9]+ *[?]=/ {printf "  %-10s%-36s%s\n", $$1, $$2, $$3}' $(MAKEFILE_LIST)
.PHONY: demo setup test environments lint accuracy bench-cluster train clean help
