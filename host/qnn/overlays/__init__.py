# SPDX-License-Identifier: BSD-3-Clause
"""Bitstreams for pynq.Overlay, each in the folder of its name; `make bitstream` puts them here."""
