# Proofs and planted faults; included by the Makefile.
N ?= 100#            faults of `make mutate`
CHANGES ?= 50#       of lines, of `make mutate-host` and `make mutate-hls`
ALL ?=#              1: `make gates` runs all tests of the engine, most of an hour more

##@ The accelerator, every night
formal: .venv/.formal       ## prove properties of FIFOs, DMAs, walker, sequencer, window, control, registers, popcount, sums, products, thresholds, readout, requantiser, loaders; build/formal.json
	$(VENV)/python scripts/formal.py --self-check --jobs $(JOBS)
mutate: .venv/.dev          ## N random faults in the RTL: do the tests find them? build/mutate.json
	$(VENV)/python scripts/mutate.py --count $(N) $(SEED_OPTION) --jobs $(JOBS)
mutate-host: .venv/.mutation  ## CHANGES of lines of engine/ and importers/: do their tests find them? build/mutate-host.json
	$(VENV)/python scripts/mutate_lines.py host --count $(CHANGES) $(SEED_OPTION)
mutate-hls: .venv/.mutation ## the same of the HLS kernels and their C simulation; build/mutate-hls.json
	$(VENV)/python scripts/mutate_lines.py hls --count $(CHANGES) $(SEED_OPTION)
gates: .venv/.dev           ## the netlist of synth in place of the RTL, beginning with random values; build/gates.json
	$(VENV)/python scripts/gates.py $(if $(filter-out 0,$(ALL)),--all) $(SEED_OPTION)
.venv/.formal: .venv/.dev
	$(PIP) $(INSTALL) --editable '.[formal]'
	@touch $@
.venv/.mutation: scripts/mutation/requirements.txt .venv/.dev
	$(PIP) $(INSTALL) --no-deps --requirement $<
	@touch $@
.PHONY: formal mutate mutate-host mutate-hls gates
