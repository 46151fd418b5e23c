# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks; `pynq get-notebooks qnn` copies them to where it is run."""
