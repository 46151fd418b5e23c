# Everything about hls_kernels/; included by the Makefile.
LAYERS ?= 5000#        random ones of `make csim`
KERNEL ?=#             rtl or hls: that one alone in `make sim-kernel-<name>`
export KERNEL

##@ RTL and HLS kernels against the golden model
verify: .venv/.dev          ## the agreement table of all kernels, RTL and HLS; build/verify.json, verify.xml
	$(VENV)/python scripts/verify.py --jobs $(JOBS)
sim-kernel-%: .venv/.dev    ## the bench of one kernel, for example make sim-kernel-conv KERNEL=hls
	$(VENV)/pytest tests/kernels/test_$**.py
csim: .venv/.dev            ## the HLS kernels by g++: LAYERS random layers, corners, networks
	LAYERS=$(LAYERS) $(PYTEST) tests/hls/test_csim_*.py
lint-hls: .venv/.dev        ## every pragma of the HLS kernels against what Vitis documents
	$(VENV)/python scripts/check_pragmas.py hls_kernels/include hls_kernels/kernels
hls: .venv/.dev             ## C synthesis and co-simulation by an installed Vitis; build/hls.json
	$(VENV)/python scripts/hls.py
.PHONY: verify csim lint-hls hls
