# SPDX-License-Identifier: BSD-3-Clause
"""qnn watch: what is seen while pictures come."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from qnn.commands import options
from qnn.commands.progress import Bar
from qnn.commands.report import Report
from qnn.errors import QnnError
from qnn.live import source
from qnn.live.frame import Frame
from qnn.live.meter import Meter
from qnn.live.session import WAIT_S, remark, watching
from qnn.live.watch import Seen
from qnn.model import Classification, Model, check_task
from qnn.store import library

if TYPE_CHECKING:
    from qnn.live.shown import Shown


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "watch",
        "Look at pictures while they come: the newest one, again and again; what is too late is "
        "dropped and counted. Ctrl-C ends it.",
        "qnn watch --model tinier-yolo --source pictures/ --json",
    )
    options.add_model(parser, default="tinier-yolo")
    parser.add_argument(
        "--source",
        metavar="S",
        default="0",
        help="where pictures come from: the number of a camera (0), a video file, a folder that "
        "fills, or the address of a stream",
    )
    parser.add_argument(
        "--every", action="store_true", help="drop nothing: the source waits for the layers"
    )
    parser.add_argument(
        "--frames", metavar="N", type=options.positive, help="end after so many were looked at"
    )
    parser.add_argument(
        "--wait",
        metavar="S",
        type=options.seconds,
        default=WAIT_S,
        help=f"how many seconds a source that went away is waited for ({WAIT_S:g})",
    )
    options.add_top(parser)
    options.add_boxes(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a frame")
    parser.add_argument(
        "--serve",
        metavar="PORT",
        type=options.port,
        help="show the frames, annotated, to browsers at this port of this machine; 0: one that is "
        "free",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="for --serve: let others look too, at this address of this machine (0.0.0.0: at all); "
        "nobody is asked for a password",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.host is not None and args.serve is None:
        raise QnnError("--host goes with --serve")
    network = library.find(args.model)
    check_task(network, network.task)
    frames = source.find(args.source, args.every)
    teller = _Teller(args)
    report = teller.report
    with report.keeping(), _ended_by_signals(), ExitStack() as held:
        if args.serve is not None:
            teller.serve(held, network.name, frames.name, args.serve, args.host)
        bar = held.enter_context(Bar(f"simulating {network.name}", "cycles"))
        settings = options.settings(args, network, bar.update)
        model = held.enter_context(Model(network, args.backend, settings))
        teller.model = model
        watch = held.enter_context(
            watching(
                model,
                frames,
                top=args.top,
                threshold=args.threshold,
                feature_scale=args.feature_scale,
                every=args.every,
                wait_s=args.wait,
                tell=teller.remark,
                skip=teller.skip,
            )
        )
        try:
            with closing(iter(watch)) as found:
                for seen in found:
                    bar.clear()
                    teller.tell(seen)
                    if report.done == args.frames:
                        break
        finally:
            report.total = report.done if report.done == args.frames else watch.came
    teller.summary()
    return report.close()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """What ends a service ends it as Ctrl-C does: the accelerator is quiet afterwards."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Teller:
    """Prints what is seen."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._json = bool(args.json)
        self._meter = Meter()
        self._printing = threading.Lock()
        self.report = Report("watched", 0, "frame", "frames", most_errors=100)
        self.model: Model | None = None
        self._shown: Shown | None = None
        self._remark = ""

    def serve(self, held: ExitStack, name: str, source: str, port: int, host: str | None) -> None:
        """What is told is shown to browsers, too, until `held` is left."""
        from qnn.live.server import LOCAL, Server
        from qnn.live.shown import Shown

        def about() -> dict[str, Any]:
            backend = None if self.model is None else self.model.backend
            return {"model": name, "backend": backend, "source": source, "remark": self._remark}

        self._shown = Shown()
        server = held.enter_context(Server(self._shown, about, port, host or LOCAL))
        remark(f"open {server.url} in a browser")

    def tell(self, seen: Seen) -> None:
        """A frame was looked at."""
        self.report.done += 1
        self._meter.add(seen.result.times_us, seen.result.cycles)
        document, self._remark = self._document(seen), ""
        if self._shown is not None:
            self._shown.show(seen, document)
        self._print(json.dumps(document, ensure_ascii=False) if self._json else _line(document))

    def skip(self, frame: Frame, error: QnnError) -> None:
        """A frame cannot be read."""
        if self._json:
            about = {"frame": frame.number, "image": frame.name, "error": str(error)}
            self._print(json.dumps(about, ensure_ascii=False))
        self.report.fail(frame.name, error)

    def remark(self, sentence: str) -> None:
        """The source went away, or is back."""
        self._remark = sentence
        remark(sentence)

    def summary(self) -> None:
        """Where the time went, for people."""
        if self.model is None or not self._meter.count or self._json:
            return
        meter = self._meter
        title = f"model {self.model.network.name} on {self.model.backend}"
        print(*options.times_lines(title, meter.count, meter.sums_us), sep="\n")
        for line in options.cycles_lines(self.model, meter.count, meter.cycles):
            print(line)
        if meter.pictures_per_s is not None:
            print(f"{meter.pictures_per_s:.2f} pictures a second")

    def _print(self, line: str) -> None:
        with self._printing:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def _document(self, seen: Seen) -> dict[str, Any]:
        result = seen.result
        about: dict[str, Any] = {"frame": seen.frame.number, "image": seen.frame.name}
        if isinstance(result, Classification):
            about["classes"] = options.classes_document(result)
        else:
            about["objects"] = options.objects_document(result)
        about["dropped"] = seen.dropped
        about["age_ms"] = round(seen.age_ms, 1)
        rate = self._meter.pictures_per_s
        about["pictures_per_s"] = None if rate is None else round(rate, 2)
        about["times_us"] = result.times_us
        if result.cycles is not None:
            about["cycles"] = result.cycles
        return about


def _line(about: dict[str, Any]) -> str:
    """One line for people."""
    if "classes" in about:
        found = [f"{one['probability']:.1%} {one['name']}" for one in about["classes"]]
    else:
        found = []
        for one in about["objects"]:
            left, top, right, bottom = one["box"]
            place = f"({left}, {top}) - ({right}, {bottom})"
            found.append(f"{one['probability']:.0%} {one['class']} {place}")
    rate = about["pictures_per_s"]
    pace = "" if rate is None else f"{rate:.1f} a second, "
    return (
        f"{about['frame']} {about['image']}: {', '.join(found) or 'nothing found'}"
        f"  [{pace}{about['dropped']} dropped]"
    )
