# SPDX-License-Identifier: BSD-3-Clause
"""What eval and classify share where a cluster looks at their pictures."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from qnn.commands.progress import Bar
from qnn.errors import QnnError
from qnn.network import Network

if TYPE_CHECKING:
    from qnn.cluster.members import Cluster
    from qnn.measure.evaluate import Answer, Pictures

NAME = "cluster"  # in the place of a backend


@contextmanager
def opened(address: str, network: Network, bar: Bar, ran: dict[str, Any]) -> Iterator[Cluster]:
    """A cluster that can look with this network; sentences about its workers go to standard error.

    Args:
        ran: gets what the JSON says of it, at the end: "backend" and "workers".
    """
    from qnn.cluster.members import Cluster

    def tell(sentence: str) -> None:
        bar.clear()
        print(sentence, file=sys.stderr, flush=True)

    with Cluster(address, network, tell) as cluster:
        ran["backend"] = NAME
        try:
            yield cluster
        finally:
            ran["workers"] = [
                {"worker": one.address, "backend": one.about["backend"], "pictures": one.pictures}
                for one in cluster.workers.values()
                if one.pictures
            ]


def answers(
    cluster: Cluster, pictures: Pictures, skip: Callable[[str, QnnError], None]
) -> Generator[list[Answer], None, None]:
    """As qnn.measure.evaluate.answers, by the workers."""
    from qnn.cluster.job import Unreadable, pack
    from qnn.cluster.spread import spread
    from qnn.measure.evaluate import Answer, count, entries

    items = (pack(*entry) for entry in entries(pictures))
    with closing(spread(cluster, items, count(pictures))) as batches:
        for batch in batches:
            found = []
            for outcome in batch:
                if isinstance(outcome, Unreadable):
                    skip(outcome.name, QnnError(outcome.reason))
                else:
                    assert isinstance(outcome, Answer)
                    found.append(outcome)
            yield found


def what(ran: dict[str, Any]) -> str:
    """What ran, in words: a backend, or how many workers of which."""
    if "workers" not in ran:
        return str(ran["backend"])
    counts = Counter(one["backend"] for one in ran["workers"])
    return ", ".join(f"{many} of {name}" for name, many in counts.items()) + " in a cluster"
