# SPDX-License-Identifier: BSD-3-Clause
"""Networks and sample pictures that ship with the project."""
