# The package on a board; included by the Makefile.
HOST ?=#              of `make deploy`: the board, for example xilinx@192.168.2.99
PYNQ ?= 3.1.2#        older pynq that `make test-pynq` runs the tests on beside 4.0.0: 3.0.1 3.1.2
SYSTEM ?= pynq#       of `make deploy`: what runs on the board, pynq or debian
TESTS ?= tests/host#  of `make test-armhf`
DRY_RUN ?=#           1: `make deploy` prints its commands and runs none
export DRY_RUN
VENV_PYNQ := .venv-pynq/bin
ON_PYNQ   := $(ONE_THREAD) $(VENV_PYNQ)/pytest -n $(JOBS) -p no:cacheprovider tests/on_pynq tests/host/platforms

##@ On a PYNQ board
test-pynq: $(PYNQ:%=.venv-pynq/pynq-%/.done) .venv-pynq/.dev  ## driver on the real pynq, boards simulated
	$(ON_PYNQ)
	for version in $(PYNQ); do PYTHONPATH="$(CURDIR)/.venv-pynq/pynq-$$version" $(ON_PYNQ) || exit 1; done
test-armhf: .venv/.dev      ## tests/host on 32-bit ARM, emulated (TESTS=...); wants root, no part of test
	$(VENV)/python scripts/armhf.py python3 -m pytest -p no:cacheprovider -n $(JOBS) $(TESTS)
deploy: .venv/.dev          ## package, bitstream of BOARD and notebooks onto the board HOST
	$(VENV)/python scripts/deploy.py $(BOARD) '$(HOST)' --system '$(SYSTEM)'

.venv-pynq/bin/python:
	$(PYTHON) scripts/make_venv.py .venv-pynq
.venv-pynq/.dev: pyproject.toml | .venv-pynq/bin/python
	$(VENV_PYNQ)/python -m pip $(INSTALL) --editable '.[dev-pynq]'
	@touch $@
# An older pynq needs the same packages as the newest one and takes its place on PYTHONPATH.
.venv-pynq/pynq-%/.done: | .venv-pynq/.dev
	$(VENV_PYNQ)/python -m pip $(INSTALL) --no-deps --upgrade \
	  --target $(@D) "pynq==$*; python_version < '3.13'"
	@touch $@
.PHONY: test-pynq test-armhf deploy
