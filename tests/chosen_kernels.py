# SPDX-License-Identifier: BSD-3-Clause
"""What the environment chooses of the kernel benches, names with commas between.

KERNEL=rtl or hls for one implementation alone; CONFIGURATIONS for other foldings than `small`, of
those in qnn_sim.hls_csim that the RTL has too; NETWORKS for networks with real parameters other
than the shipped one. QnnError where one of the names is not known.
"""

from qnn_sim import hls_csim, rtl_cases
from qnn_sim.run_options import names


def implementations() -> list[str]:
    return names("KERNEL", "rtl,hls", ("rtl", "hls"))


def configurations() -> list[str]:
    of_both = [name for name, sizes in hls_csim.CONFIGURATIONS.items() if "Simd" not in sizes]
    return names("CONFIGURATIONS", "small", of_both)


def networks() -> list[str]:
    return names("NETWORKS", "fashion-cnv", rtl_cases.NAMES)
