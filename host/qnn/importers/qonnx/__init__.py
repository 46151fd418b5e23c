# SPDX-License-Identifier: BSD-3-Clause
"""Networks in QONNX, from Brevitas, QKeras or the zoo."""
