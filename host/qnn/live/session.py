# SPDX-License-Identifier: BSD-3-Clause
"""A model that looks at a source of frames, from the first thread to the last."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from qnn.errors import QnnError
from qnn.live.feed import Feed
from qnn.live.frame import Frame, FrameSource
from qnn.live.latest import Latest
from qnn.live.watch import Result, Skip, Watch
from qnn.model import Decoded, Model

WAIT_S = 30.0  # for a source that went away


def remark(sentence: str) -> None:
    """What there is to say of a source, on standard error."""
    print(f"qnn: {sentence}", file=sys.stderr, flush=True)


def leave_out(frame: Frame, error: QnnError) -> None:
    """Says which frame cannot be read."""
    remark(str(error))


@contextmanager
def watching(
    model: Model,
    source: FrameSource,
    *,
    top: int = 5,
    threshold: float = 0.3,
    feature_scale: str = "published",
    every: bool = False,
    wait_s: float = WAIT_S,
    tell: Callable[[str], None] = remark,
    skip: Skip = leave_out,
) -> Generator[Watch, None, None]:
    """`with watching(model, source) as frames: for seen in frames: ...`, for as long as they come.

    Args:
        model: one that classifies or detects.
        source: of the frames; qnn.live.source.find has some.
        top: classes of each frame, where it classifies.
        threshold, feature_scale: as of Model.detect, where it detects.
        every: no frame is dropped: the source waits.
        wait_s: how long a source that went away is waited for.
        tell: called, in a thread, with a sentence when the source went away, and when it is back.
        skip: called, in a thread, with a frame that cannot be read, and why.
    """

    def look(opened: Iterator[Decoded]) -> Iterator[Result]:
        if model.network.task == "classify":
            return model.classify_all(opened, top)
        return model.detect_all(opened, threshold=threshold, feature_scale=feature_scale)

    latest: Latest[Frame] = Latest(every)
    with Feed(source, latest, wait_s, tell):
        yield Watch(model, latest, look, skip)
