# SPDX-License-Identifier: BSD-3-Clause
"""Runs cases on the workers of a Dask cluster. Needs the packages of the extra `cluster`.

A case carries the commit that it belongs to. A worker runs it in the checkout that it was started
in, and refuses it where that is another commit or has changes. Cases of a worker that is lost run
again on another, as often as the scheduler allows (distributed.scheduler.allowed-failures, 3).
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qnn.cluster.connection import close, connect, distributed, why
from qnn.errors import QnnError
from qnn_sim.regress import case as outcomes
from qnn_sim.regress import checkout
from qnn_sim.regress.case import Case, Result
from qnn_sim.regress.execute import run_case

WORKERS_S = 15
POLL_S = 2
NOBODY_S = 120  # without any worker for so long, the cases that are left are lost


def run_on_worker(fields: dict[str, Any], commit: str) -> dict[str, Any]:
    """Run one case in the folder of this worker; plain values in and out."""
    case = Case(**fields)
    root = Path.cwd()
    here = checkout.state(root)
    if here.commit != commit or here.changed:
        what = (
            "has changes" if here.commit == commit else f"is at {here.commit[:12] or 'no commit'}"
        )
        message = f"the checkout of the worker, {root}, {what}; the run is of {commit[:12]}"
        result = Result(case, outcomes.REFUSED, message=message, worker=checkout.process_name())
    else:
        folder = root / "build" / "regress" / "worker" / f"{case.key}-{time.time_ns()}"
        result = run_case(case, root, folder)
    return dataclasses.asdict(result)


def _result(fields: dict[str, Any]) -> Result:
    return Result(**{**fields, "case": Case(**fields["case"])})


def run(cases: list[Case], address: str, commit: str) -> Iterator[Result]:
    """Results as they come; closing the iterator takes back what has not begun.

    Raises:
        QnnError: at once: `distributed` is not installed, nobody answers, or there is no worker.
    """
    client = connect(address)
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError:
        close(client)
        raise QnnError(
            f"the scheduler at {address} has no worker: start some with "
            f"`make regress-worker CLUSTER={address}`"
        ) from None
    return _results(client, cases, commit)


def _results(client: Any, cases: list[Case], commit: str) -> Iterator[Result]:
    try:
        run_name = uuid.uuid4().hex[:8]  # another run may have the same cases
        pending = {
            client.submit(
                run_on_worker, dataclasses.asdict(case), commit, key=f"{case.key}-{run_name}",
                pure=False, priority=-number, retries=0,
            ): case
            for number, case in enumerate(cases)
        }  # fmt: skip
        try:
            yield from _follow(client, pending)
        except Exception as problem:  # whatever the network does to what is waited for
            reason = f"the cluster is gone: {why(problem)}"
            for case in pending.values():
                yield Result(case, outcomes.LOST, message=reason)
    finally:
        close(client)


def _follow(client: Any, pending: dict[Any, Case]) -> Iterator[Result]:
    """Results as they come; takes what has one out of `pending`."""
    alone_since = None
    wait = distributed().wait
    while pending:
        try:
            finished = wait(list(pending), timeout=POLL_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            finished = set()
        for future in finished:
            if future.status == "cancelled":
                raise ConnectionError("it has forgotten the cases")
            problem = None if future.status == "finished" else str(future.exception())
            result = _result(future.result()) if problem is None else None
            case = pending.pop(future)
            yield result or Result(case, outcomes.LOST, message=problem or "")
        if client.scheduler_info(n_workers=-1)["workers"]:
            alone_since = None
            continue
        alone_since = alone_since or time.monotonic()
        if time.monotonic() - alone_since > NOBODY_S:
            raise ConnectionError(f"no workers for {NOBODY_S} s")
