# SPDX-License-Identifier: BSD-3-Clause
"""A page that shows what is seen, for browsers: MJPEG, a status in JSON, nothing of other hosts.

Each client has a thread, and sees the newest frame at its own pace: one that stops reading holds up
nobody, and is given up after a while.
"""

from __future__ import annotations

import errno
import json
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from qnn.errors import QnnError
from qnn.live.shown import Shot, Shown

LOCAL = "127.0.0.1"
STREAMS = 8  # clients that are sent frames at a time
CONNECTIONS = 32
AGAIN_S = 0.5  # a frame is sent again where no other comes
SILENT_S = 10.0  # a client that does not send, or does not read, for so long
BUFFER = 1 << 18  # bytes under way to a client: what is in it is old before it is seen
BOUNDARY = "frame"

PAGES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'"
)


class Server:
    """`with Server(shown, about, port) as server:` serves until the end of the block.

    Args:
        shown: what to show.
        about: the status that does not belong to a frame, asked for each time; JSON.
        port: 0 is one that is free.
        host: the address it listens on; others than this machine's own can be reached by others.

    Raises:
        QnnError: it cannot listen there.
    """

    def __init__(
        self,
        shown: Shown,
        about: Callable[[], dict[str, Any]],
        port: int,
        host: str = LOCAL,
    ) -> None:
        self._shown = shown
        listener = _Listener6 if ":" in host else _Listener
        try:
            self._listener = listener((host, port), partial(_Client, shown, about))
        except OSError as error:
            raise QnnError(f"cannot serve on port {port} of {host}: {_reason(error)}") from None
        self.host, self.port = host, int(self._listener.server_address[1])
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.1,), name="serve", daemon=True
        )

    @property
    def url(self) -> str:
        """What to give to a browser."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program uses it; give --serve another number"
    return error.strerror or str(error)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that does not read is not waited for
    address_family = socket.AF_INET

    def __init__(self, address: tuple[str, int], client: Callable[..., _Client]) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self.streams = threading.BoundedSemaphore(STREAMS)
        super().__init__(address, client)

    def server_bind(self) -> None:
        # That of HTTPServer asks for the name of the host, which may take long.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has left, or does not read, is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def is_for_us(self, host: str | None) -> bool:
        """Whether a request names this machine as the user does.

        A page of another host may let its own name lead to 127.0.0.1; its requests have that name.
        """
        if not _is_own(str(self.server_address[0])):
            return True
        try:
            name = urlsplit(f"//{host or ''}").hostname or ""
        except ValueError:
            return False
        return name == "localhost" or _is_own(name)


def _is_own(address: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


class _Listener6(_Listener):
    address_family = socket.AF_INET6


class _Client(BaseHTTPRequestHandler):
    server: _Listener
    server_version, sys_version = "qnn", ""
    timeout = SILENT_S

    def __init__(self, shown: Shown, about: Callable[[], dict[str, Any]], *args: Any) -> None:
        self._shown, self._about = shown, about
        super().__init__(*args)

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        if not self.server.is_for_us(self.headers.get("Host")):
            self.send_error(HTTPStatus.FORBIDDEN, "this page is for this machine alone")
        elif path in PAGES:
            name, kind = PAGES[path]
            self._send(files("qnn.live").joinpath(name).read_bytes(), kind)
        elif path == "/status":
            self._send_status()
        elif path == "/frame.jpg":
            self._send_frame()
        elif path == "/stream":
            self._send_stream()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send_status(self) -> None:
        shot = self._shown.newest()
        about = self._about() | {"newest": None if shot is None else shot.status}
        self._send(json.dumps(about).encode(), "application/json")

    def _send_frame(self) -> None:
        shot = self._shown.newest()
        if shot is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "no frame has come yet")
        else:
            self._send(shot.jpeg(), "image/jpeg")

    def _send_stream(self) -> None:
        if not self.server.streams.acquire(blocking=False):
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, f"{STREAMS} clients look already")
            return
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            self._head(f"multipart/x-mixed-replace; boundary={BOUNDARY}", None)
            self.wfile.write(f"--{BOUNDARY}\r\n".encode())
            shot: Shot | None = None
            while not self._shown.closed:
                # Chromium shows a part once the next one begins: the last one is sent again.
                shot = self._shown.after(0 if shot is None else shot.number, AGAIN_S) or shot
                if shot is not None:
                    jpeg = shot.jpeg()
                    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode())
                elif self._has_left():
                    return
        finally:
            self.server.streams.release()

    def _has_left(self) -> bool:
        """The client has closed its end: nothing else would tell while no frame comes."""
        self.connection.settimeout(0)
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError as error:
            return not isinstance(error, BlockingIOError)
        finally:
            self.connection.settimeout(SILENT_S)

    def _send(self, body: bytes, kind: str) -> None:
        self._head(kind, len(body))
        self.wfile.write(body)

    def _head(self, kind: str, length: int | None) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody is told of each request."""
