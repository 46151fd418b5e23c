# SPDX-License-Identifier: BSD-3-Clause
"""How fast and how right a network runs: bench, verify, evaluate."""
