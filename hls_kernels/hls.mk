# Everything about hls_kernels/; included by the Makefile.
KERNEL ?=#             rtl or hls: that one alone in `make sim-kernel-<name>`
export KERNEL

##@ RTL and HLS kernels against the golden model
verify: .venv/.dev          ## the agreement table of all kernels, RTL and HLS; build/verify.json, verify.xml
	$(VENV)/python scripts/verify.py --jobs $(JOBS)
sim-kernel-%: .venv/.dev    ## the bench of one kernel, for example make sim-kernel-conv KERNEL=hls
	$(VENV)/pytest tests/kernels/test_$**.py
.PHONY: verify
