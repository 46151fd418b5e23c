# SPDX-License-Identifier: BSD-3-Clause
"""What the accelerator in rtl/ needs in memory: command list, parameters, feature maps."""
