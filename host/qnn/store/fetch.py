# SPDX-License-Identifier: BSD-3-Clause
"""Gather the files of a source, by HTTPS or from a local copy, and let none pass unverified."""

import collections
import http.client
import os
import queue
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from qnn.errors import FetchError
from qnn.store.sources import Source, SourceFile, blob_id

UPSTREAM = "https://raw.githubusercontent.com"
THREADS = 8
_CHUNK = 1 << 16
_MAX_BYTES = 512 << 20  # of a file whose size is not known
_MIN_RATE = 16 << 10  # bytes/s; a server that drips more slowly has timed out
_GRACE_S = 1.0  # what threads get to end after a failure or Ctrl-C; they die with the program


def collect(
    source: Source,
    destination: Path,
    *,
    mirror: Path | None = None,
    base_url: str = UPSTREAM,
    progress: Callable[[int, int], None] | None = None,
    timeout_s: float = 30,
    retries: int = 3,
    backoff_s: float = 0.5,
) -> list[str]:
    """Gather the files of a source in a directory, laid out by their paths in the repository.

    A file appears under its name only after its size (where known) and git blob id were checked.

    Args:
        source: what to gather.
        destination: an existing, empty directory; after an error it may hold some of the files.
        mirror: a local copy of the repository, or the directory that holds one named like it (in
            its own spelling or in lower case); nothing is downloaded then. Symbolic links in it
            are followed.
        base_url: where to download from: base_url/owner/name/commit/path.
        progress: called in the calling thread as progress(done_files, all_files).
        timeout_s: the longest silence of a server; a file may take this plus 1 s per 16 KiB.
        retries: further tries of one file after a network error or an HTTP status 5xx or 429.
        backoff_s: pause before the first of these; each further pause is twice as long.

    Returns:
        The paths of the optional files that are absent.

    Raises:
        FetchError: a file is missing, altered, or cannot be had.
    """
    stop = threading.Event()
    place: _Place
    if mirror is not None:
        place = _Mirror(source, mirror)
    else:
        place = _Server(source, base_url, timeout_s, retries, backoff_s, stop)

    files = source.files()
    waiting = collections.deque(enumerate(files))
    results: queue.SimpleQueue[tuple[SourceFile, Path | None | BaseException]] = queue.SimpleQueue()
    absent = []

    with tempfile.TemporaryDirectory(
        prefix=".partial-", dir=destination, ignore_cleanup_errors=True
    ) as parts:

        def work() -> None:
            while not stop.is_set():
                try:
                    index, file = waiting.popleft()
                except IndexError:
                    return
                try:
                    results.put((file, _get_verified(place, source, file, Path(parts, str(index)))))
                except BaseException as err:
                    results.put((file, err))

        threads = [
            threading.Thread(target=work, name="qnn.fetch", daemon=True) for _ in range(THREADS)
        ]
        try:
            for thread in threads:
                thread.start()
            for done in range(1, len(files) + 1):
                file, result = results.get()
                if isinstance(result, BaseException):
                    raise result
                if result is None:
                    absent.append(file.path)
                else:
                    _move(result, destination / file.path)
                if progress is not None:
                    progress(done, len(files))
        finally:
            stop.set()
            end = time.monotonic() + _GRACE_S
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))
    return sorted(absent)


class _Place(Protocol):
    """Where files come from."""

    def describe(self, path: str) -> str:
        """The address of a file, for messages."""

    def get(self, path: str, part: Path, limit: int) -> bool:
        """Write at most `limit` bytes of a file to `part`; False if it does not exist.

        Raises FetchError if it can be neither read nor said to be missing.
        """


def _get_verified(place: _Place, source: Source, file: SourceFile, part: Path) -> Path | None:
    """The part, once it is proved to be the file; None if the file is absent and may be."""
    where = place.describe(file.path)
    limit = _MAX_BYTES if file.size is None else file.size
    if not place.get(file.path, part, limit + 1):  # one more, to see a file that is too long
        if file.path in source.optional:
            return None
        raise FetchError(
            f"{file.path} is missing: {where} does not exist; give a complete copy of "
            f"{source.repository} at commit {source.commit} as mirror"
        )
    size = part.stat().st_size
    if size > limit:
        raise FetchError(f"{file.path} is not the file asked for: {where} exceeds {limit} bytes")
    found = blob_id(part)
    if found != file.blob:
        raise FetchError(
            f"{file.path} is not the file asked for: expected git blob {file.blob}, found {found} "
            f"({size} bytes) at {where}; give an unaltered copy of {source.repository} at commit "
            f"{source.commit} as mirror"
        )
    return part


def _move(part: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    except OSError as err:
        raise FetchError(f"{target} cannot be written: {err.strerror or err}") from None


def _write(part: Path, data: bytes, mode: Literal["wb", "ab"]) -> int:
    """Start or continue a file; what the disk says must not pass for a network error."""
    try:
        with part.open(mode) as writer:
            return writer.write(data)
    except OSError as err:
        raise FetchError(f"{part} cannot be written: {err.strerror or err}") from None


class _Mirror:
    def __init__(self, source: Source, mirror: Path) -> None:
        name = source.repository.split("/")[1]
        roots = (mirror, mirror / name.lower(), mirror / name)
        found = [root for root in roots if os.path.exists(root / source.root)]
        if not found:
            raise FetchError(
                f"{mirror} is no copy of {source.repository} and holds none named "
                f"{name.lower()}: there is no {source.root}"
            )
        self._root = found[0]

    def describe(self, path: str) -> str:
        return str(self._root / path)

    def get(self, path: str, part: Path, limit: int) -> bool:
        origin = self._root / path
        try:
            if not origin.exists():
                return False
            if not origin.is_file():  # a pipe would block
                raise OSError("not a file")
            with origin.open("rb") as reader:
                _write(part, b"", "wb")
                while limit and (chunk := reader.read(min(_CHUNK, limit))):
                    limit -= _write(part, chunk, "ab")
        except OSError as err:
            raise FetchError(f"{origin} cannot be read: {err.strerror or err}") from None
        return True


@dataclass(frozen=True)
class _Server:
    source: Source
    base_url: str
    timeout_s: float
    retries: int
    backoff_s: float
    stop: threading.Event

    def __post_init__(self) -> None:
        url = urllib.parse.urlsplit(self.base_url)
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise FetchError(f"{self.base_url} is not an https address; give one, or a mirror")

    def describe(self, path: str) -> str:
        below = f"{self.source.repository}/{self.source.commit}/{path}"
        return f"{self.base_url.rstrip('/')}/{urllib.parse.quote(below)}"

    def get(self, path: str, part: Path, limit: int) -> bool:
        url = self.describe(path)
        reason: object = "interrupted"
        for attempt in range(self.retries + 1):
            if attempt and self.stop.wait(self.backoff_s * 2 ** (attempt - 1)):
                break
            try:
                self._receive(url, part, limit)
                return True
            except urllib.error.HTTPError as err:
                err.close()
                if err.code in (404, 410):
                    return False
                reason = f"HTTP status {err.code} {err.reason}"
                if err.code < 500 and err.code != 429:
                    break
            except (OSError, http.client.HTTPException) as err:
                reason = getattr(err, "reason", None) or str(err) or type(err).__name__
        raise FetchError(
            f"{path} cannot be fetched from {url}: {reason}; check the connection and try again, "
            f"or give a local copy of {self.source.repository} as mirror"
        )

    def _receive(self, url: str, part: Path, limit: int) -> None:
        """One download; a body that breaks off or takes too long is an OSError."""
        request = urllib.request.Request(url, headers={"User-Agent": "qnn"})
        start, received = time.monotonic(), _write(part, b"", "wb")
        with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
            while received < limit and (chunk := response.read1(min(_CHUNK, limit - received))):
                received += _write(part, chunk, "ab")
                if self.stop.is_set():
                    raise OSError("stopped")
                if time.monotonic() - start > self.timeout_s + received / _MIN_RATE:
                    raise TimeoutError("the server is too slow")
            announced = response.headers.get("Content-Length")
            if announced and announced.isdigit() and received < min(int(announced), limit):
                raise OSError(f"the answer breaks off after {received} of {announced} bytes")
