# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator on a board with a plain Linux, without pynq: files of the kernel, and mmap."""
