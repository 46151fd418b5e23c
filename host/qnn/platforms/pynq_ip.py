# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator as an IP of pynq: `pynq.Overlay("qnn.bit").qnn_engine_0`.

pynq imports this module whenever it opens an overlay (entry point `pynq.lib`); nothing else may,
before there is a device, because it needs pynq.
"""

from __future__ import annotations

from pynq import DefaultIP
from pynqmetadata import ProcSysCore, ZynqProcSysCore

from qnn.engine.capabilities import Capabilities
from qnn.platforms.overlay import VLNV


class QnnEngine(DefaultIP):  # type: ignore[misc]  # pynq has no types
    """Registers of the accelerator (`read`, `write`) and its interrupt (`irq`; None without one).

    To run networks use qnn.load(..., backend="pynq").
    """

    bindto = [VLNV]  # noqa: RUF012  pynq's own convention

    @property
    def capabilities(self) -> Capabilities:
        """What this instance can do."""
        return Capabilities.read(self.read)


def name_clocks_of_zynq() -> None:
    """Lets pynqmetadata 0.2.0 find the clock rates of a Zynq-7000.

    It knows their parameters by the names of the UltraScale+ family alone, reports no rate, and
    pynq 4.0.0 dies dividing by it when it loads any overlay. Versions before it do not ask for the
    rate, and one that knows the names is left alone.
    """
    inherited = getattr(ProcSysCore, "clk_freq_param_name", None)
    if inherited is not None and ZynqProcSysCore.clk_freq_param_name is inherited:
        ZynqProcSysCore.clk_freq_param_name = lambda self, clock: (
            f"PCW_ACT_FPGA{clock}_PERIPHERAL_FREQMHZ"
        )


name_clocks_of_zynq()
