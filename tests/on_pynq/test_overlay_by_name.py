# SPDX-License-Identifier: BSD-3-Clause
"""`pynq.Overlay("qnn.bit")`, by somebody who knows no more of this package than that name."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytest.importorskip("pynq", reason="needs pynq: make test-pynq")

import pynqmetadata
from overlay_files import CLOCK_MHZ, write_overlay

from qnn.platforms import pynq_ip
from qnn.platforms.overlay import BITSTREAM

RATE = "PCW_ACT_FPGA{}_PERIPHERAL_FREQMHZ"
HERE = Path(__file__).parent


@pytest.fixture
def core(monkeypatch):
    """Stand-ins for the two classes of pynqmetadata; core() makes them anew."""

    def made(base: dict, zynq: dict) -> type:
        proc_sys = type("ProcSysCore", (), base)
        core = type("ZynqProcSysCore", (proc_sys,), zynq)
        monkeypatch.setattr(pynq_ip, "ProcSysCore", proc_sys)
        monkeypatch.setattr(pynq_ip, "ZynqProcSysCore", core)
        return core

    return made


def name_of_ultrascale(self, clock):
    return "PSU__CRL_APB"


def test_clocks_get_the_name_that_vivado_gives_them(core):
    found = core({"clk_freq_param_name": name_of_ultrascale}, {})
    pynq_ip.name_clocks_of_zynq()
    assert found().clk_freq_param_name(2) == RATE.format(2)


def test_a_pynqmetadata_that_knows_better_is_left_alone(core):
    own = {"clk_freq_param_name": lambda self, clock: "right"}
    found = core({"clk_freq_param_name": name_of_ultrascale}, own)
    pynq_ip.name_clocks_of_zynq()
    assert found().clk_freq_param_name(0) == "right"


def test_a_pynqmetadata_without_rates_is_left_alone(core):
    found = core({}, {})
    pynq_ip.name_clocks_of_zynq()
    assert not hasattr(found, "clk_freq_param_name")


OPEN = """
import sys
sys.path[:0] = [{here!r}, {tests!r}]
import pynq, pynq.ps
from boards import Zynq
pynq.ps.CPU_ARCH = "armv7l"
board = Zynq()
board.logic_write = lambda address, value: None
pynq.Device.active_device = pynq.Clocks.device = board
overlay = pynq.Overlay({name!r})
print(type(overlay.qnn_engine_0).__module__, pynq.Clocks.fclk0_mhz, overlay.bitfile_name)
"""


def opened(name: str, *first: str) -> subprocess.CompletedProcess:
    code = "\n".join((*first, OPEN.format(here=str(HERE), tests=str(HERE.parent), name=name)))
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=600
    )


def test_an_overlay_by_its_path(tmp_path):
    bitstream = write_overlay(tmp_path, interrupt=False)
    result = opened(str(bitstream))
    wanted = f"qnn.platforms.pynq_ip {CLOCK_MHZ} {bitstream}\n"
    assert (result.stdout, result.stderr) == (wanted, "")


def test_an_overlay_by_its_name(tmp_path):
    """The entry point `pynq.overlays` leads to the package, which is elsewhere for this test."""
    bitstream = write_overlay(tmp_path / BITSTREAM.parent.name, interrupt=False)
    result = opened(
        "qnn.bit", f"import qnn.overlays; qnn.overlays.__path__[:] = [{str(tmp_path)!r}]"
    )
    wanted = f"qnn.platforms.pynq_ip {CLOCK_MHZ} {bitstream}\n"
    assert (result.stdout, result.stderr) == (wanted, "")


@pytest.mark.skipif(
    (version("pynqmetadata"), version("pynq")) != ("0.2.0", "4.0.0"),
    reason="other versions may be right",
)
def test_without_it_pynq_dies(tmp_path):
    """When this fails the workaround has had its day."""
    bitstream = write_overlay(tmp_path, interrupt=False)
    result = opened(
        str(bitstream),
        "import pkg_resources",
        "of_all = pkg_resources.iter_entry_points",
        "pkg_resources.iter_entry_points = lambda group, *rest: (",
        "    entry for entry in of_all(group, *rest) if entry.name != 'qnn')",
    )
    assert "unsupported operand type" in result.stderr and result.returncode == 1


def test_pynqmetadata_is_mended_here():
    core = pynqmetadata.ZynqProcSysCore
    inherited = getattr(pynqmetadata.ProcSysCore, "clk_freq_param_name", None)
    assert inherited is None or core.clk_freq_param_name is not inherited
