# SPDX-License-Identifier: BSD-3-Clause
"""The regression: what is run, where, what it covered, and the page that tells."""
