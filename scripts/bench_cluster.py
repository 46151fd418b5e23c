# SPDX-License-Identifier: BSD-3-Clause
"""What a cluster does: pictures a second with more and more workers, one killed, a hundred boards.

Starts a Dask scheduler and workers on this machine: `qnn worker` on the CPU (one thread of BLAS
each) and on the simulated accelerator, and then workers that only sleep, for as long as a board's
accelerator would take. Every run but the last must give the confusion matrix of one machine, or the
exit status is 1. On a machine that has other work, go by processor time: of all workers for a
picture (where one is killed, of the other one), of scheduler and client for a job. Pictures are
those of Fashion-MNIST, random ones where these are not there; or those of --dataset.

    python scripts/bench_cluster.py --workers 1 2 4 --pictures 10000 --boards 100
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.metadata
import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from qnn.cluster import worker
from qnn.cluster.holder import ACCELERATOR_BATCH
from qnn.cluster.job import Job, Reply, pack
from qnn.cluster.members import Cluster
from qnn.cluster.spread import spread
from qnn.engine.capabilities import Capabilities
from qnn.engine.placement import place_network
from qnn.errors import QnnError
from qnn.measure import forecast
from qnn.measure.evaluate import Answer, confusion, entries, tallied
from qnn.model import Model
from qnn.network import Network
from qnn.pictures import dataset
from qnn.pictures.dataset import Dataset
from qnn.store import library
from qnn.store.digest import digest
from qnn_sim import script

FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian: dataset-fashion-mnist
CLOCK_HZ = 100e6
START_S = 300.0
PROCESSES = 2  # that the sleeping workers share
SECONDS = 8  # that a run of sleeping workers should take at best


def parse() -> argparse.Namespace:
    parser = script.parser(__doc__)
    add = parser.add_argument
    add("--model", default=library.DEFAULT, help=f"name or directory ({library.DEFAULT})")
    add("--dataset", type=Path, default=FASHION, help=f"labelled pictures of one size ({FASHION})")
    add("--workers", type=int, nargs="*", default=[1, 2, 4], help="how many at a time (1 2 4)")
    add("--pictures", type=int, default=10_000, help="on the CPU, and where one is killed (10000)")
    add("--sim-pictures", type=int, default=40, help="on the simulated accelerator (40); 0: none")
    add("--boards", type=int, default=100, help="workers that sleep (100); 0: none")
    add("--picture-ms", type=float, help="that a board takes for a picture; default: estimated")
    add("--picture-bytes", type=int, help="of its file; default: as many as the data set's have")
    add("--json", action="store_true", help="print the result as JSON")
    add("--asleep", help=argparse.SUPPRESS)  # this process has sleeping workers: JSON of how
    arguments = parser.parse_args()
    counts = [arguments.pictures, *arguments.workers]
    if min(counts) < 1 or min(arguments.sim_pictures, arguments.boards) < 0:
        parser.error("counts must be at least 1, or 0 to leave out simulation or boards")
    return arguments


class Sleeper:
    """In the place of a qnn.cluster.holder.Holder: sleeps as long as a board would work."""

    def __init__(self, digest: str, seconds: float) -> None:
        self._seconds = seconds
        self.description = {
            "qnn": importlib.metadata.version("qnn"),
            "networks": {"any": digest},
            "batch": ACCELERATOR_BATCH,
            "backend": "asleep",
        }

    def work(self, job: Job) -> Reply:
        time.sleep(self._seconds * len(job.items))
        return Reply(job.digest, tuple(Answer(one.name, 0, 0, 1, 1.0) for one in job.items))


async def sleep_on(address: str, count: int, digest: str, seconds: float) -> None:
    """So many sleeping workers in this process, until the scheduler goes."""
    with tempfile.TemporaryDirectory() as folder:
        holders = [Sleeper(digest, seconds) for _ in range(count)]
        started = [
            await worker.started(address, holder, ThreadPoolExecutor(1), folder)
            for holder in holders
        ]
        await asyncio.gather(*(one.finished() for one in started))


class Local:
    """A scheduler on this machine, and processes that work for it."""

    def __init__(self, stack: contextlib.ExitStack, logs: Path) -> None:
        self._stack, self._logs = stack, logs
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        self.scheduler = self.start(
            "-m", "distributed.cli.dask_scheduler", "--host", self.address, "--no-dashboard"
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A process of this Python, ended with everything else."""
        log = self._stack.enter_context((self._logs / f"{time.monotonic_ns()}.log").open("wb"))
        # One worker is one processor here: with more threads of BLAS, two would share them all.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=log, stderr=log, env=environment
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def workers(self, count: int, backend: str, model: str) -> list[subprocess.Popen[bytes]]:
        command = ("-m", "qnn.cli", "worker", "--cluster", self.address, "--model", model)
        return [self.start(*command, "--backend", backend) for _ in range(count)]

    def joined(self, network: Network, count: int, tell: Any) -> Cluster:
        """The cluster, once it has so many workers.

        Raises:
            QnnError: they do not come.
        """
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(QnnError):
                cluster = Cluster(self.address, network, tell)
                if len(cluster.look()) == count:
                    return cluster
                cluster.close()
            time.sleep(0.2)
        logs = "; ".join(one.read_text()[-300:] for one in sorted(self._logs.glob("*.log")))
        raise QnnError(f"{count} workers did not come within {START_S:g} s: {logs}")


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Processor time that it has had, which other programs of the machine do not change."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def local() -> Iterator[Local]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        yield Local(stack, Path(folder))


def first(data: Dataset, count: int) -> Dataset:
    return Dataset(data.images[:count], data.labels[:count])


def labelled(path: Path, network: Network, count: int) -> tuple[Dataset, str]:
    """Pictures, and what they are."""
    if path != FASHION or path.exists():
        data = first(dataset.read(path), count)
        return data, f"the first {len(data.labels)} of {path}"
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, len(network.classes), count)
    return Dataset(images, labels), f"{count} random ones, as {path} is not there"


def timed(
    network: Network,
    data: Dataset,
    backend: str,
    model: str,
    workers: int,
    kill: bool = False,
) -> dict[str, Any]:
    """One run, and the confusion matrix that it gave; with `kill` one worker dies in the middle."""
    told: list[str] = []
    with local() as machine:
        processes = machine.workers(workers, backend, model)
        with machine.joined(network, workers, told.append) as cluster:
            began, total = time.perf_counter(), len(data.labels)
            living = processes[1:] if kill else processes
            had = sum(map(cpu_s, living))
            batches = spread(cluster, (pack(*entry) for entry in entries(data)), total)
            for tally in tallied(network, batches):  # type: ignore[arg-type]
                if kill and tally.confusion.sum() * 2 >= total:
                    processes[0].kill()
                    kill = False
            seconds = time.perf_counter() - began
            worked = sum(map(cpu_s, living)) - had
    return {
        "backend": backend, "workers": workers, "pictures": total, "seconds": seconds,
        "pictures_per_s": total / seconds, "worker_cpu_ms": worked / total * 1e3,
        "told": told, "confusion": tally.confusion.tolist(),
    }  # fmt: skip


def boards(
    network: Network, count: int, seconds: float, size: int, pictures: int
) -> dict[str, Any]:
    """So many sleeping workers."""
    rng = np.random.default_rng(2)
    one = rng.integers(0, 256, size, dtype=np.uint8)
    made = [pack(str(number), one, 0) for number in range(pictures)]
    with local() as machine:
        shares = [len(part) for part in np.array_split(np.arange(count), PROCESSES) if len(part)]
        for share in shares:
            how = {"address": machine.address, "count": share, "digest": digest(network)}
            machine.start(str(Path(__file__)), "--asleep", json.dumps({**how, "seconds": seconds}))
        with machine.joined(network, count, print) as cluster:
            began, here, there = time.perf_counter(), time.process_time(), cpu_s(machine.scheduler)
            jobs = [len(batch) for batch in spread(cluster, iter(made), pictures)]
            took = time.perf_counter() - began
            here = (time.process_time() - here) / len(jobs)
            there = (cpu_s(machine.scheduler) - there) / len(jobs)
    job = Job(digest(network), None, tuple(made[: max(jobs)]))  # type: ignore[arg-type]
    return {
        "boards": count, "picture_ms": seconds * 1e3, "picture_bytes": size,
        "wire_bytes": len(pickle.dumps(job)) / max(jobs), "pictures": pictures, "jobs": len(jobs),
        "seconds": took, "pictures_per_s": pictures / took, "jobs_per_s": len(jobs) / took,
        "bound_per_s": count / seconds if seconds else None,
        "scheduler_cpu_ms_per_job": there * 1e3, "client_cpu_ms_per_job": here * 1e3,
    }  # fmt: skip


def measure(arguments: argparse.Namespace, tell: Any) -> dict[str, Any]:
    network = library.find(arguments.model)
    data, what = labelled(arguments.dataset, network, arguments.pictures)
    few = first(data, arguments.sim_pictures)
    with Model(network, "cpu") as model:
        expected = {len(one.labels): confusion(model, one).tolist() for one in (data, few)
                    if len(one.labels)}  # fmt: skip
    runs = []
    for backend, given in (("cpu", data), ("sim", few)):
        for count in arguments.workers if len(given.labels) else ():
            runs.append(timed(network, given, backend, arguments.model, count))
            tell(runs[-1])
    killed = timed(network, data, "cpu", arguments.model, 2, kill=True)
    tell(killed)
    for run in (*runs, killed):
        run["agrees"] = run.pop("confusion") == expected[run["pictures"]]
    result: dict[str, Any] = {"model": network.name, "pictures": what, "runs": runs}
    result["classes"], result["confusion"] = network.classes, expected[len(data.labels)]
    result["killed"] = killed
    if arguments.boards:
        caps = Capabilities()
        cycles = forecast.cycles(network, place_network(network, caps), caps)
        seconds = cycles / CLOCK_HZ if arguments.picture_ms is None else arguments.picture_ms / 1e3
        size = arguments.picture_bytes or int(data.images[0].nbytes)
        many = boards_pictures(arguments.boards, seconds)
        result["boards"] = boards(network, arguments.boards, seconds, size, many)
    return result


def boards_pictures(count: int, seconds: float) -> int:
    """Pictures of a run of sleeping workers: of SECONDS, if nothing but the boards took time."""
    return int(min(max(count * SECONDS / max(seconds, 1e-6), count * 2), count * 64 * 5))


HEADING = (
    f"{'backend':<8}{'workers':>8}{'pictures':>10}{'seconds':>10}{'pictures/s':>14}"
    f"{'CPU ms/picture':>18}"
)


def line(run: dict[str, Any]) -> str:
    return (
        f"{run['backend']:<8}{run['workers']:>8}{run['pictures']:>10}{run['seconds']:>10.2f}"
        f"{run['pictures_per_s']:>14.1f}{run['worker_cpu_ms']:>18.2f}"
    )


def totals(matrix: list[list[int]]) -> tuple[int, int]:
    """Pictures on the diagonal, and all."""
    return sum(row[i] for i, row in enumerate(matrix)), sum(map(sum, matrix))


def print_result(result: dict[str, Any]) -> None:
    agreeing = [run["agrees"] for run in (*result["runs"], result["killed"])]
    print(f"\nmodel {result['model']}; pictures: {result['pictures']}")
    print(f"the confusion matrix of one machine: {sum(agreeing)} of {len(agreeing)} runs")
    for name, row in zip(result["classes"], result["confusion"], strict=True):
        if sum(row):
            print(f"  {name[:15]:<16}{''.join(f'{count:>6}' for count in row)}")
    right, total = totals(result["confusion"])
    print(f"  {right} of {total} right, {right / total:.2%}")
    print(f"one of two workers killed: {'; '.join(result['killed']['told']) or 'too late'}")
    if (found := result.get("boards")) is not None:
        bound = f"{found['bound_per_s']:,.0f}" if found["bound_per_s"] else "no bound"
        print(
            f"{found['boards']} boards that sleep {found['picture_ms']:.3f} ms for each of "
            f"{found['pictures']} pictures of {found['picture_bytes']} bytes "
            f"({found['wire_bytes']:.0f} on the wire): {found['pictures_per_s']:,.0f} pictures/s "
            f"of {bound}, {found['jobs_per_s']:.0f} jobs/s; processor time for a job: scheduler "
            f"{found['scheduler_cpu_ms_per_job']:.1f} ms, client "
            f"{found['client_cpu_ms_per_job']:.1f} ms"
        )


def main() -> int:
    arguments = parse()
    if arguments.asleep:
        asyncio.run(sleep_on(**json.loads(arguments.asleep)))
        return 0
    shown: list[dict[str, Any]] = []

    def tell(run: dict[str, Any]) -> None:
        if not arguments.json:
            print(line(run) if shown else f"{HEADING}\n{line(run)}", flush=True)
        shown.append(run)

    try:
        result = measure(arguments, tell)
    except KeyboardInterrupt:
        if arguments.json:
            print(json.dumps({"runs": shown}, indent=1))
        raise
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        print_result(result)
    return 0 if all(run["agrees"] for run in (*result["runs"], result["killed"])) else 1


if __name__ == "__main__":
    script.end("bench_cluster", main)
