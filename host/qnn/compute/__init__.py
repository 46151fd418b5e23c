# SPDX-License-Identifier: BSD-3-Clause
"""Arithmetic of layers on a host: float convolutions, fully connected layers, boxes."""
