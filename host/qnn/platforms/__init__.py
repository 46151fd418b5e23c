# SPDX-License-Identifier: BSD-3-Clause
"""What carries the accelerator: a board, or a simulation of one."""
