# SPDX-License-Identifier: BSD-3-Clause
"""What classify and detect share: picture after picture, a result told as soon as it is there."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Generic, TypeVar, cast

from qnn.commands import clusters, options
from qnn.commands.progress import Bar
from qnn.commands.report import Report
from qnn.errors import PictureError, QnnError
from qnn.model import Classification, Detections, Given, Model, Skip
from qnn.network import Network
from qnn.pictures import pipe
from qnn.pictures.picture import Source, check_readable

Result = TypeVar("Result", Classification, Detections)
Look = Callable[[Model, Iterable[Source], Skip, int], Iterator[Result]]


class Pictures(Generic[Result]):
    """The pictures of one command line.

    Args:
        network: has the stages that `look` needs.
        look: how a model looks at pictures, so many of them opened ahead.
        did: what that is, for the count at the end.
        cluster: the address of a scheduler whose workers classify the pictures; None: a model
            here looks at them.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        network: Network,
        look: Look[Result],
        did: str,
        cluster: str | None = None,
    ) -> None:
        self._args, self._network = args, network
        self._look: Look[Result] = look
        self._cluster = cluster
        self._model: Model | None = None
        self._ran: dict[str, Any] = {}  # a cluster
        self._under_way: deque[Source] = deque()
        self._results: list[Result] = []
        self._bar = Bar(f"simulating {network.name}", "cycles")
        self.report = Report(did, len(args.images))

    def each(self, tell: Callable[[Result, Source], None]) -> None:
        """Calls `tell` with each result, and with what the picture can be read from again.

        What is no file that can be read is named before anything runs.
        """
        with self.report.keeping():
            names = [name for name in self._args.images if self._is_readable(name)]
            if names and self._cluster is not None:
                self._each_of_cluster(self._cluster, names, tell)
            elif names:
                settings = options.settings(self._args, self._network, self._bar.update)
                with self._bar, Model(self._network, self._args.backend, settings) as model:
                    self._model = model
                    # A pipe may be slow: what came before it is told first.
                    slow = len(names) == 1 or any(map(pipe.is_pipe, names))
                    ahead = 0 if slow else model.ahead
                    for result in self._look(model, self._sources(names), self._skip, ahead):
                        self._bar.clear()
                        self._found(result, tell)

    def _found(self, result: Result, tell: Callable[[Result, Source], None]) -> None:
        self._results.append(result)
        self.report.done += 1
        tell(result, self._under_way.popleft())

    def _each_of_cluster(
        self, address: str, names: list[str], tell: Callable[[Result, Source], None]
    ) -> None:
        from qnn.cluster.job import Unreadable, pack
        from qnn.cluster.spread import spread

        items = (
            pack(one.name if isinstance(one, pipe.Piped) else str(one), one)
            for one in self._sources(names)
        )
        with (
            Bar(f"classifying by {self._network.name}", "pictures") as bar,
            clusters.opened(address, self._network, bar, self._ran) as cluster,
            closing(spread(cluster, items, len(names), self._args.top)) as batches,
        ):
            for batch in batches:
                bar.clear()
                for outcome in batch:
                    if isinstance(outcome, Unreadable):
                        self._under_way.popleft()
                        self._skip_named(outcome.name, PictureError(outcome.reason))
                    else:
                        self._found(cast(Result, outcome), tell)
                bar.update(self.report.done, self.report.total)

    def _is_readable(self, name: str) -> bool:
        if not pipe.is_pipe(name):
            try:
                check_readable(name)
            except PictureError as error:
                self.report.fail(name, error)
                return False
        return True

    def _sources(self, names: list[str]) -> Iterator[Source]:
        for name in names:
            source: Source = name
            if pipe.is_pipe(name):
                try:
                    source = pipe.read(name, PictureError)
                except PictureError as error:
                    self._skip_named(name, error)
                    continue
            self._under_way.append(source)
            yield source

    def _skip(self, source: Given, error: QnnError) -> None:
        """A picture that was taken cannot be read."""
        self._under_way.remove(source)  # type: ignore[arg-type]  # what _sources gave
        self._skip_named(source.name if isinstance(source, pipe.Piped) else str(source), error)

    def _skip_named(self, name: str, error: QnnError) -> None:
        self._bar.clear()
        self.report.fail(name, error)

    def close(self, name: str, found: Callable[[Result], list[dict[str, Any]]]) -> int:
        """Prints what there is to say of all pictures.

        Args:
            name: of what was found in each picture, in JSON.
            found: that.

        Returns:
            The exit status.
        """
        if self._args.json:
            ran = options.what_ran(self._network, self._model)
            ran[0].update(self._ran)
            options.print_results(ran, self._results, name, found, self.report.document())
        elif self._results:
            on = clusters.what(self._ran) if self._model is None else self._model.backend
            options.print_times(f"model {self._network.name} on {on}", self._results)
            if self._model is not None:
                options.print_cycles(self._model, self._results)
        return self.report.close()
