# What needs Vivado; included by the Makefile.
BOARD ?= pynq-z1#  of `make bitstream`: a file of params/boards/

##@ Bitstream
bitstream: .venv/.dev       ## build/BOARD/qnn.bit and qnn.hwh; needs Vivado 2022.1 or later
	$(VENV)/python scripts/bitstream.py $(BOARD)
.PHONY: bitstream
