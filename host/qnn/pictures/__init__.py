# SPDX-License-Identifier: BSD-3-Clause
"""From a file to an array of pixels, and from results to a picture."""
