# SPDX-License-Identifier: BSD-3-Clause
"""Large and whole networks of the kinds that people bring: what an import takes, what a run takes.

Each test prints what it measures: `pytest -s -m nightly tests/system/test_graph_targets.py`.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `dev` is not installed")
from graph_networks import mobilenet, resnet8, resnet18

from qnn_sim.onnx_reference import compare
from qnn_sim.rtl_build import ROOT

MOST_BYTES = 600_000_000  # of the import of a ResNet-18
IMPORT = """
import json, re, sys, time
from pathlib import Path
from qnn.importers import import_network
began = time.perf_counter()
network = import_network("qonnx", Path(sys.argv[1]), "net")
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "processor_seconds": time.process_time(),
    # ru_maxrss would begin with what the process had that started this one
    "bytes": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024,
    "layers": len(network.layers),
}))
"""


def test_a_resnet18_takes_little_memory(tmp_path):
    path = resnet18(np.random.default_rng(1)).save(tmp_path / "resnet18.onnx")
    command = [sys.executable, "-c", IMPORT, path]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    took = json.loads(ended.stdout)
    print(
        f"\nResNet-18 W4A4, {path.stat().st_size / 1e6:.1f} MB: imported in "
        f"{took['seconds']:.1f} s ({took['processor_seconds']:.1f} s of a processor), "
        f"{took['bytes'] / 1e6:.0f} MB"
    )
    assert took["layers"] > 20
    assert took["bytes"] < MOST_BYTES


@pytest.mark.nightly
@pytest.mark.parametrize(("make", "inputs"), [(resnet8, 4), (mobilenet, 4), (resnet18, 1)])
def test_whole_on_the_simulated_accelerator(make, inputs, tmp_path):
    path = make(np.random.default_rng(1)).save(tmp_path / f"{make.__name__}.onnx")
    found = compare(path, inputs, 1, "sim")
    print(f"\n{make.__name__}: {found.cycles:,} cycles, bound {found.bound:,}")
    assert found.good, found
    assert found.tensors > 10
    assert found.bound < found.cycles


@pytest.mark.nightly
def test_the_generated_networks_on_the_simulated_accelerator(reference):
    """All but one are taken; layer by layer as the golden model, and score as the reference."""
    folder = reference.parent / "cases/networks"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    command = [sys.executable, ROOT / "scripts/compare_onnx.py", "--verify", "sim"]
    ended = subprocess.run(
        [*command, *sorted(folder.glob("*.onnx"))],
        capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    print(f"\n{ended.stdout}")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "48 of 49 accepted, 48 of these agree"
