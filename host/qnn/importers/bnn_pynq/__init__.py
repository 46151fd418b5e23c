# SPDX-License-Identifier: BSD-3-Clause
"""Networks of BNN-PYNQ: a directory of packed weights and thresholds."""
