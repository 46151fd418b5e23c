# SPDX-License-Identifier: BSD-3-Clause
"""What classify and detect share: picture after picture, a result told as soon as it is there."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from qnn.commands import options
from qnn.commands.progress import Bar
from qnn.commands.report import Report
from qnn.errors import PictureError, QnnError
from qnn.model import Classification, Detections, Given, Model, Skip
from qnn.network import Network
from qnn.pictures import pipe
from qnn.pictures.picture import Source, check_readable

Result = TypeVar("Result", Classification, Detections)
Look = Callable[[Model, Iterable[Source], Skip, int], Iterator[Result]]
AHEAD = 2  # pictures that are opened before they are needed; each costs memory


class Pictures(Generic[Result]):
    """The pictures of one command line.

    Args:
        network: has the stages that `look` needs.
        look: how a model looks at pictures, so many of them opened ahead.
        did: what that is, for the count at the end.
    """

    def __init__(
        self, args: argparse.Namespace, network: Network, look: Look[Result], did: str
    ) -> None:
        self._args, self._network = args, network
        self._look: Look[Result] = look
        self._model: Model | None = None
        self._under_way: deque[Source] = deque()
        self._results: list[Result] = []
        self._bar = Bar(f"simulating {network.name}", "cycles")
        self.report = Report(did, len(args.images))

    def each(self, tell: Callable[[Result, Source], None]) -> None:
        """Calls `tell` with each result, and with what the picture can be read from again.

        What is no file that can be read is named before anything runs.
        """
        with self.report.keeping():
            if names := [name for name in self._args.images if self._is_readable(name)]:
                settings = options.settings(self._args, self._network, self._bar.update)
                with self._bar, Model(self._network, self._args.backend, settings) as model:
                    self._model = model
                    # A pipe may be slow: what came before it is told first.
                    ahead = 0 if len(names) == 1 or any(map(pipe.is_pipe, names)) else AHEAD
                    for result in self._look(model, self._sources(names), self._skip, ahead):
                        self._bar.clear()
                        self._results.append(result)
                        self.report.done += 1
                        tell(result, self._under_way.popleft())

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
            options.print_results(
                self._network, self._model, self._results, name, found, self.report.document()
            )
        elif self._model is not None and self._results:
            options.print_times(self._model, self._results)
        return self.report.close()
