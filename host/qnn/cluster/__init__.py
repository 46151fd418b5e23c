# SPDX-License-Identifier: BSD-3-Clause
"""Pictures by the thousand, on several machines: Dask carries batches of them to workers."""
