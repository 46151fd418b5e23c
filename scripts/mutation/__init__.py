# SPDX-License-Identifier: BSD-3-Clause
"""What mutate.py is made of."""
