# SPDX-License-Identifier: BSD-3-Clause
"""Networks on disk, on this machine, and from others."""

from qnn.store.form import DESCRIPTION, TENSORS, load, save

__all__ = ["DESCRIPTION", "TENSORS", "load", "save"]
