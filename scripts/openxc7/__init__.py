# SPDX-License-Identifier: BSD-3-Clause
"""A bitstream for a Zynq-7000 with the tools of openXC7, for scripts/bitstream.py."""
