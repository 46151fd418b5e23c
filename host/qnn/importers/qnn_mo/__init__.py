# SPDX-License-Identifier: BSD-3-Clause
"""Networks of QNN-MO-PYNQ: a layer JSON and the files that it names."""
