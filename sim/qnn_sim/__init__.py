# SPDX-License-Identifier: BSD-3-Clause
"""The golden model: what every kernel and every driver is compared with."""
