# SPDX-License-Identifier: BSD-3-Clause
"""A process of its own: it says what it has, dies and loses nothing, and ends when it is told."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
from local_cluster import local_cluster

SCRIPT = Path(sys.executable).with_name("qnn")
LIMIT_S = 300


@pytest.fixture
def cluster(tmp_path):
    with local_cluster(tmp_path) as found:
        yield found


@pytest.fixture
def started(cluster):
    """started() is a process of `qnn worker` that has said what it has, and those two lines."""
    with contextlib.ExitStack() as stack:

        def start(*program):
            command = [SCRIPT, "worker", "--cluster", cluster.address, "--backend", "cpu"]
            process = stack.enter_context(
                subprocess.Popen(
                    program or command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            )
            stack.callback(process.kill)
            return process, [process.stdout.readline() for _ in range(2)]

        yield start


def test_a_worker_is_killed_in_the_middle(started, cluster, tmp_path, samples):
    """Its pictures go to the other one; the matrix, the order and the status are those of one."""
    rng = np.random.default_rng(3)
    data = tmp_path / "a.npz"
    images = rng.integers(0, 256, (600, 28, 28), np.uint8)
    np.savez(data, images=images, labels=rng.integers(0, 10, 600))
    (first, lines), _ = started(), started()
    address = lines[0].split()[1].rstrip(":")
    assert "cpu on Linux" in lines[0] and lines[1].startswith("networks: fashion-cnv ")
    command = [SCRIPT, "eval", data, "--json"]
    alone = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=True)
    running = subprocess.Popen(
        [*command, "--cluster", cluster.address],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    begun = threading.Event()
    scheduler = cluster._scheduler

    def watch():
        if any(one.processing for key, one in scheduler.workers.items() if key == address):
            begun.set()
        else:
            cluster._loop.call_later(0.01, watch)

    cluster._loop.call_soon_threadsafe(watch)
    assert begun.wait(LIMIT_S)
    os.kill(first.pid, signal.SIGKILL)
    out, err = running.communicate(timeout=LIMIT_S)
    assert (running.returncode, err) == (
        0, f"worker {address} has failed: it was lost; others go on\n",
    )  # fmt: skip
    document = json.loads(out)
    assert sum(one["pictures"] for one in document.pop("workers")) == 600
    assert document | {"backend": "cpu"} == json.loads(alone.stdout)


nightly = pytest.mark.nightly


@pytest.mark.parametrize(
    ("number", "status", "message", "before"),
    [
        (signal.SIGTERM, 0, "", signal.default_int_handler),
        pytest.param(signal.SIGTERM, 0, "", signal.SIG_IGN, marks=nightly),
        pytest.param(
            signal.SIGINT, 130, "qnn: interrupted\n", signal.default_int_handler, marks=nightly
        ),
        (signal.SIGINT, 130, "qnn: interrupted\n", signal.SIG_IGN),
    ],
)
def test_told_to_end(started, interruptible, number, status, message, before):
    """Also where a shell has started it with `&`, and so had it ignore SIGINT."""
    signal.signal(signal.SIGINT, before)
    process, _ = started()
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, err) == (status, message)


STUCK = """
import sys, threading
from qnn.cluster import worker
from qnn.cluster.holder import Holder
from qnn.store import library
worker.END_S = 0.5
def tell(address, holder):
    holder.close = lambda: threading.Event().wait()
    print("ready\\n", flush=True)
worker.serve(sys.argv[1], lambda: Holder([library.find("fashion-cnv")], "cpu"), tell)
"""


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=nightly), signal.SIGINT])
def test_what_never_ends_is_cut_off(started, cluster, number):
    process, _ = started(sys.executable, "-c", STUCK, cluster.address)
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, err) == (
        2, "qnn: the worker did not end within 0.5 s and is cut off\n",
    )  # fmt: skip


def test_the_scheduler_goes(started, cluster):
    process, _ = started()
    cluster.close_scheduler()
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert (
        err
        == f"qnn: the scheduler at {cluster.address} has gone: start it, then this worker again\n"
    )
