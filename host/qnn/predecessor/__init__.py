# SPDX-License-Identifier: BSD-3-Clause
"""The interface of QNN-MO-PYNQ's notebooks."""
