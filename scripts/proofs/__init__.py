# SPDX-License-Identifier: BSD-3-Clause
"""What formal.py is made of."""
