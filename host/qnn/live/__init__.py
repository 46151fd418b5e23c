# SPDX-License-Identifier: BSD-3-Clause
"""Pictures while they come: sources of frames, the newest one looked at, what is seen shown."""
