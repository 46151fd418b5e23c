# SPDX-License-Identifier: BSD-3-Clause
"""A stand-in for Vivado that runs its Tcl and knows only what the scripts may use.

It knows the commands, options, properties, IPs, pins and address segments that are recorded here;
whatever else a script names is an error, as is what Vivado's own checks would refuse. It places
and routes nothing: run results are what the test asks for. `python -m vivado_stand_in` takes the
arguments of `vivado -mode batch`.
"""
