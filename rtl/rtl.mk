# Everything about rtl/; included by the Makefile.
SIM     ?= verilator#  simulator of `make sim-<module>`: verilator or icarus
SEED    ?=#            of all that is random in tests, 1 by default; random: a fresh one each time
WAVES   ?=#            1: record waves under build/
NETWORK ?= fashion-cnv#  of `make sim-network`; the others need QNN_REFERENCE
export SIM SEED WAVES

##@ The accelerator
lint-rtl: .venv/.dev        ## verilator -Wall over rtl/ and the shells of kernels; waivers with reasons in lint.vlt
	$(VENV)/python scripts/lint_rtl.py
regs: .venv/.dev            ## write registers and command format from rtl/regs/qnn_regs.json
	$(VENV)/python scripts/gen_regs.py
check-generated: .venv/.dev ## fail where a generated file differs from its source
	$(VENV)/python scripts/gen_regs.py --check
	$(VENV)/python scripts/draw_engine.py --check
diagram: .venv/.dev         ## draw rtl/engine.svg again
	$(VENV)/python scripts/draw_engine.py
sim: .venv/.dev             ## the cocotb benches of all modules; SIM=icarus for a second simulator
	$(PYTEST) tests/rtl/test_qnn_*.py
sim-%: .venv/.dev           ## tests of one module, for example make sim-qnn_pool WAVES=1
	$(VENV)/pytest tests/rtl/test_$*.py
sim-network: .venv/.dev     ## one whole network through the RTL
	$(VENV)/python scripts/bench_rtl.py $(NETWORK) --out build/sim-network.json
bench-rtl: .venv/.dev       ## cycles of every network on BOARD, per layer; build/bench-rtl.json
	$(VENV)/python scripts/bench_rtl.py --board $(BOARD)
synth: .venv/.dev           ## what it needs of the device of BOARD, by Yosys; build/synth.json
	$(VENV)/python scripts/synth.py --board $(BOARD)
.PHONY: lint-rtl regs check-generated diagram sim sim-network bench-rtl synth
