# SPDX-License-Identifier: BSD-3-Clause
"""Frames of a camera, a video file or an address, read by PyAV: the libraries of FFmpeg."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from qnn.errors import SourceError
from qnn.live.frame import Frame
from qnn.pictures.picture import Source
from qnn.pictures.pipe import Piped

OPEN_S, READ_S = 10.0, 10.0  # how long an address may take to answer, and stay silent
JPEG = "mjpeg"


@dataclass(frozen=True)
class Video:
    """What PyAV opens.

    Attributes:
        name: for people.
        target: file, device or address.
        form: of FFmpeg, where it is not found out: "v4l2".
        paced: frames come when they are due, not as fast as they can be read.
        endless: there is no end to come to: where frames stop, it has gone.
        options: of the form; later ones are for what refuses those before.
    """

    name: str
    target: str
    form: str | None = None
    paced: bool = False
    endless: bool = False
    options: tuple[dict[str, str], ...] = ({},)

    def frames(self, stop: threading.Event) -> Generator[Frame, None, None]:
        """See qnn.live.frame.FrameSource.

        A frame that is a JPEG picture of itself, as those of most cameras are, is handed on as it
        is, and decoded only if it is looked at; of others, each needs the ones before it. Those of
        a phone that lay on its side are turned upright.
        """
        try:
            with self._opened() as container:
                if not container.streams.video:
                    raise SourceError(f"{self.name} has no pictures in it")
                began = time.monotonic()
                with closing(self._pictures(container)) as pictures:
                    for due_s, picture in pictures:
                        if self.paced and due_s is not None:
                            stop.wait(max(0.0, began + due_s - time.monotonic()))
                        if stop.is_set():
                            return
                        yield Frame(self.name, picture)
        except EOFError:
            pass
        except _errors() as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(f"{self.name} gives no frames: {reason}") from None
        if self.endless and not stop.is_set():
            raise SourceError(f"{self.name} gives no more frames")

    def _opened(self) -> Any:
        av = _library()
        *first, last = self.options
        for options in first:
            try:
                return self._open(av, options)
            except _errors() as error:
                if getattr(error, "errno", None) != errno.EINVAL:
                    raise
        return self._open(av, last)

    def _open(self, av: Any, options: dict[str, str]) -> Any:
        return av.open(self.target, format=self.form, options=options, timeout=(OPEN_S, READ_S))

    def _pictures(self, container: Any) -> Generator[tuple[float | None, Source], None, None]:
        """When each is due, in seconds behind the first, and the picture."""
        stream = container.streams.video[0]
        first: float | None = None

        def due(time_s: float | None) -> float | None:
            nonlocal first
            if first is None:
                first = time_s
            return None if time_s is None or first is None else time_s - first

        if stream.codec_context.name == JPEG:
            for packet in container.demux(stream):
                if packet.size:
                    at_s = None if packet.pts is None else float(packet.pts * packet.time_base)
                    yield due(at_s), Piped(self.name, bytes(packet))
            return
        for frame in container.decode(stream):
            pixels = frame.to_ndarray(format="rgb24")
            yield due(frame.time), np.rot90(pixels, getattr(frame, "rotation", 0) // 90)


def camera(text: str) -> Video:
    """A camera of V4L2, by its number or its device.

    Raises:
        SourceError: there is none, or PyAV is not installed.
    """
    device = text if text.startswith("/") else f"/dev/video{int(text)}"
    if not os.path.exists(device):
        raise SourceError(
            f"there is no camera {device}: plug one in, or give --source a video file, a folder or "
            "an address"
        )
    _library()
    # Over USB 2 pixels are slow: most cameras send JPEG if they are asked, and some refuse.
    return Video(device, device, "v4l2", endless=True, options=({"input_format": JPEG}, {}))


def file(path: str, every: bool) -> Video:
    """A video file, at its own pace unless every frame is wanted.

    Raises:
        SourceError: PyAV is not installed.
    """
    _library()
    return Video(path, path, paced=not every)


def address(url: str) -> Video:
    """A stream at an address: HTTP with JPEG frames, RTSP, and what else FFmpeg knows.

    Raises:
        SourceError: PyAV is not installed.
    """
    _library()
    return Video(_without_password(url), url, endless=True)


def _without_password(url: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _errors() -> tuple[type[Exception], ...]:
    """What PyAV raises: some of FFmpeg's errors are OSError or ValueError as well, not all."""
    return OSError, ValueError, _library().FFmpegError


def _library() -> Any:
    try:
        import av
    except ImportError:
        raise SourceError(
            "cameras, videos and addresses are read by PyAV, which is not installed: "
            "pip install 'qnn[live]', or apt install python3-av"
        ) from None
    return av
