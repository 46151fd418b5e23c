# SPDX-License-Identifier: BSD-3-Clause
"""Stands in for nextpnr-xilinx, nextpnr-himbaechel, fasm2frames and xc7frames2bit, and their data.

Each knows the options of the real one, read from its sources, and refuses others; it reads its
input files and refuses what the real one refuses: a clock on a net that is not there, a place that
does not exist or is taken, a cell of a kind that the device does not have, a part that the database
does not know. Nothing is placed, routed or encoded. What comes out, and of which version the
programs are, is told by the environment variable OPENXC7_STAND_IN: a JSON of `Outcome`.
"""
