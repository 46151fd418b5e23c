# SPDX-License-Identifier: BSD-3-Clause
"""Graphs that are refused, and the same graphs once what the refusal advises is done."""
