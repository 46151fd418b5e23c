# SPDX-License-Identifier: BSD-3-Clause
"""Finds the source of frames that a few characters name."""

from __future__ import annotations

import re
from pathlib import Path

from qnn.errors import SourceError
from qnn.live.folder import Folder
from qnn.live.frame import FrameSource

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+")
_CAMERA = re.compile(r"[0-9]{1,3}|/dev/video[0-9]{1,3}")


def find(text: str, every: bool = False) -> FrameSource:
    """The source that `text` names; nothing is opened yet.

    Args:
        text: the number of a camera or its device, a directory, a file, or an address.
        every: a file is not played at its own pace, as every frame of it is wanted.

    Raises:
        SourceError: there is no such thing, or what reads it is not installed.
    """
    path = Path(text)
    try:
        if text and path.is_dir():
            return Folder(text)
        if is_there := bool(text) and path.exists():
            path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{text} cannot be read: {reason}") from None
    from qnn.live import video

    if _CAMERA.fullmatch(text):
        return video.camera(text)
    if _ADDRESS.fullmatch(text):
        return video.address(text)
    if not is_there:
        raise SourceError(
            f"there is no file, folder or camera {text}: give --source a number, a path or an "
            "address"
        )
    return video.file(text, every)
