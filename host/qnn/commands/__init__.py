# SPDX-License-Identifier: BSD-3-Clause
"""One module for each command: add_parser(commands) declares it, run(args) does it."""
