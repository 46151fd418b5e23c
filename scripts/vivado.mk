# What needs Vivado or openXC7; included by the Makefile.
BOARD     ?= pynq-z1#  of bitstream, deploy, bench-rtl and synth: a file of params/boards/
TOOLCHAIN ?=#          of bitstream: vivado or openxc7; none: Vivado where there is one
OPENXC7   ?=#          directory of nextpnr and its databases, if not in the PATH
export OPENXC7

##@ Bitstream
bitstream: .venv/.dev       ## build/BOARD/qnn.bit and qnn.hwh; by Vivado 2022.1 or later, or by openXC7
	$(VENV)/python scripts/bitstream.py $(BOARD) $(TOOLCHAIN:%=--toolchain %)
.PHONY: bitstream
