# SPDX-License-Identifier: BSD-3-Clause
"""What synth.py is made of."""
