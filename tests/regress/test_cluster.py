# SPDX-License-Identifier: BSD-3-Clause
"""A scheduler and two workers on this machine: what they run, what they refuse, and what becomes
of the cases of a worker that is killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qnn.cluster import connection
from qnn.errors import QnnError
from qnn_sim.regress import case as outcomes
from qnn_sim.regress import checkout, cluster
from qnn_sim.regress.case import Case

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
FAKE = "tests/rtl/test_fake.py::"
START_S = 300


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def started(*arguments: str, folder: Path) -> Iterator[subprocess.Popen]:
    """`python -m distributed...` in `folder`, killed with its children at the end."""
    log = folder / "build" / f"{time.monotonic_ns()}.log"
    log.parent.mkdir(exist_ok=True)
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=folder, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def scheduler(repository, port) -> Iterator[subprocess.Popen]:
    module, host = "distributed.cli.dask_scheduler", f"tcp://127.0.0.1:{port}"
    with started(module, "--host", host, "--no-dashboard", folder=repository) as process:
        yield process


@pytest.fixture
def address(repository, port, scheduler) -> Iterator[str]:
    """Of a scheduler with two workers, whose checkout is the repository."""
    found = f"tcp://127.0.0.1:{port}"
    worker = ("distributed.cli.dask_worker", found, "--nthreads", "1", "--no-nanny",
              "--no-dashboard", "--local-directory", str(repository / "build"))  # fmt: skip
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(started(*worker, folder=repository))
        wait_for_workers(found, 2)
        yield found


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout=START_S) as client:
        client.wait_for_workers(count, timeout=START_S)


def slow(repository, seconds: float) -> str:
    """A test that takes a while, in a commit of its own; its name."""
    path = repository / "tests" / "rtl" / "test_slow.py"
    path.write_text(f"import time\ndef test_slow():\n    time.sleep({seconds})\n")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for command in (["add", "."], [*identity, "commit", "-q", "-m", "slow"]):
        subprocess.run(["git", *command], cwd=repository, env=clean, check=True)
    return "tests/rtl/test_slow.py::test_slow"


def test_a_worker_is_killed_and_its_cases_run_elsewhere(repository, address):
    name = slow(repository, 1)
    commit = checkout.state(repository).commit
    names = [name, name, FAKE + "test_bad", *[name] * 3]
    cases = [Case(name, seed, False, 600) for seed, name in enumerate(names)]
    results, killed = [], None
    for result in cluster.run(cases, address, commit):
        results.append(result)
        if killed is None:
            killed = result.worker
            os.kill(int(killed.rpartition("/")[2]), signal.SIGKILL)
    assert sorted(r.case.seed for r in results) == list(range(len(cases)))
    wrong = [r for r in results if not r.good]
    assert [(r.case.name, r.outcome) for r in wrong] == [(FAKE + "test_bad", outcomes.FAILED)]
    assert "a value differs" in wrong[0].message and wrong[0].log
    others = {r.worker for r in results} - {killed}
    assert len(others) == 1
    assert sum(r.worker in others for r in results) >= len(cases) - 2


def test_another_commit_and_changes_are_refused(repository, address):
    here = checkout.state(repository).commit
    case = Case(FAKE + "test_good", 1, False, 600)
    (other,) = cluster.run([case], address, "0" * 40)
    assert other.outcome == outcomes.REFUSED
    assert f"is at {here[:12]}; the run is of 000000000000" in other.message
    (repository / "new.txt").write_text("not in the commit")
    (changed,) = cluster.run([case], address, here)
    assert changed.outcome == outcomes.REFUSED and "has changes" in changed.message
    (repository / "new.txt").unlink()
    (good,) = cluster.run([case], address, here)
    assert good.outcome == outcomes.PASSED


@pytest.mark.nightly
def test_the_scheduler_is_killed(repository, address, scheduler):
    name = slow(repository, 1)
    cases = [Case(name, seed, False, 600) for seed in range(6)]
    results = cluster.run(cases, address, checkout.state(repository).commit)
    assert next(results).good
    os.kill(scheduler.pid, signal.SIGKILL)
    rest = list(results)
    assert len(rest) == len(cases) - 1
    assert {r.outcome for r in rest} <= {outcomes.PASSED, outcomes.LOST}
    assert rest[-1].outcome == outcomes.LOST and "the cluster is gone" in rest[-1].message


def test_nobody_answers(monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_S", 1)
    with pytest.raises(QnnError, match="no Dask scheduler answers at tcp://127"):
        list(cluster.run([], f"tcp://127.0.0.1:{free_port()}", "x"))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(QnnError, match="needs the package distributed"):
        list(cluster.run([], "tcp://127.0.0.1:1", "x"))
