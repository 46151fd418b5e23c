# SPDX-License-Identifier: BSD-3-Clause
"""The server, asked by real clients: some read, one stops reading, one leaves, some lie."""

import contextlib
import http.client
import io
import json
import re
import socket
import threading
import time

import numpy as np
import pytest
from PIL import Image

from qnn.errors import QnnError
from qnn.live import server as server_module
from qnn.live.frame import Frame
from qnn.live.server import Server
from qnn.live.shown import Shot, Shown
from qnn.live.watch import Seen
from qnn.model import Detections

PATIENCE_S = 300.0


def show(shown, number) -> None:
    """A grey frame: the brighter, the higher its number."""
    pixels = np.full((48, 64, 3), number, np.uint8)
    result = Detections("a", [], {})
    shown.show(Seen(Frame("a", pixels, number), result, 0, 1.0), {"frame": number})


@pytest.fixture
def shown():
    return Shown()


@pytest.fixture
def server(shown):
    with Server(shown, lambda: {"model": "m"}, 0) as running:
        yield running


def get(server, path, **headers) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read()


class Stream:
    """A client of /stream."""

    def __init__(self, server) -> None:
        self._socket = socket.create_connection((server.host, server.port), PATIENCE_S)
        self._socket.sendall(b"GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n")
        self._file = self._socket.makefile("rb")
        self.status = self._file.readline().split()[1]
        self.headers = dict(iter(self._header, None)) if self.status == b"200" else {}

    @property
    def _header(self):
        def read():
            line = self._file.readline().strip().decode()
            return tuple(line.split(": ", 1)) if line else None

        return read

    def frame(self) -> int | None:
        """The grey of the next frame; None at the end."""
        boundary = self._file.readline().strip()
        if not boundary:
            boundary = self._file.readline().strip()
        assert boundary in (b"--frame", b"")
        headers = dict(iter(self._header, None))
        if not headers:
            return None
        assert headers["Content-Type"] == "image/jpeg"
        data = self._file.read(int(headers["Content-Length"]))
        return round(float(np.asarray(Image.open(io.BytesIO(data))).mean()))

    def frame_after(self, number) -> int | None:
        while (found := self.frame()) is not None and found <= number:
            pass
        return found

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def wait_for(holds) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def streaming() -> int:
    """Clients that have a thread."""
    return sum("process_request_thread" in one.name for one in threading.enumerate())


def test_the_page_is_whole_and_of_this_host_alone(server):
    pages = {}
    for path in server_module.PAGES:
        answer, body = get(server, path)
        assert answer.status == 200 and int(answer.headers["Content-Length"]) == len(body)
        pages[path] = body.decode()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    everything = "".join(pages.values())
    assert "//" not in re.sub(r"^//.*$", "", everything, flags=re.M)  # no address at all
    for name in re.findall(r'(?:src|href)="([^"]+)"', pages["/"]):
        assert name == "data:," or f"/{name}" in pages
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", pages["/"])


def test_status_and_frame(server, shown):
    assert get(server, "/frame.jpg")[0].status == 503
    assert json.loads(get(server, "/status")[1]) == {"model": "m", "newest": None}
    show(shown, 5)
    assert json.loads(get(server, "/status?1")[1]) == {"model": "m", "newest": {"frame": 5}}
    answer, body = get(server, "/frame.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"] == "no-store"
    assert Image.open(io.BytesIO(body)).size == (64, 48)


@pytest.mark.parametrize("path", ["/none", "/page.html", "/../server.py", "/frame"])
def test_what_is_not_there(server, path):
    assert get(server, path)[0].status == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("localhost", 200),
        ("localhost:80", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("127.evil.example", 403),
        ("localhost.evil.example:80", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_a_name_that_leads_here_from_elsewhere(server, name, status):
    """Another host's page may let its own name lead to 127.0.0.1, and then read all."""
    for path in ("/", "/status", "/nothing", "/stream"):
        answer = status if status == 403 else (404 if path == "/nothing" else 200)
        if not (path == "/stream" and answer == 200):
            assert get(server, path, Host=name)[0].status == answer


def test_only_for_this_machine_unless_told_otherwise(shown):
    with Server(shown, dict, 0) as server:
        assert server.host == "127.0.0.1"
        assert server.url == f"http://127.0.0.1:{server.port}/"
    with Server(Shown(), dict, 0, "0.0.0.0") as server:
        server.host = "127.0.0.1"
        assert get(server, "/status", Host="board.local:80")[0].status == 200


def test_a_port_in_use(server):
    with pytest.raises(QnnError, match=f"port {server.port} of 127.0.0.1: another program uses it"):
        Server(Shown(), dict, server.port)
    with pytest.raises(QnnError, match="cannot serve on port 0 of 203"):
        Server(Shown(), dict, 0, "203.0.113.7")


def test_the_newest_again_until_another_comes(server, shown):
    client = Stream(server)
    assert client.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
    show(shown, 10)
    assert [client.frame(), client.frame()] == [10, 10]
    show(shown, 20)
    assert client.frame_after(10) == 20
    client.close()


def test_one_that_stops_reading_and_one_that_leaves(server, shown, monkeypatch):
    monkeypatch.setattr(server_module._Client, "timeout", 1.0)
    monkeypatch.setattr(Shot, "jpeg", lambda shot, jpeg=Shot.jpeg: jpeg(shot) + bytes(4 << 20))
    stopped, leaving, reading = Stream(server), Stream(server), Stream(server)
    for number in range(1, 8):
        show(shown, number)
        assert reading.frame_after(number - 1) == number
        if number == 3:
            assert leaving.frame_after(0) is not None
            leaving.close()
    wait_for(lambda: streaming() <= 1)  # both are given up
    show(shown, 200)
    assert reading.frame_after(100) == 200
    stopped.close()
    reading.close()


def test_one_that_leaves_before_a_frame_comes(server):
    client = Stream(server)
    wait_for(lambda: streaming() == 1)
    client.close()
    wait_for(lambda: streaming() == 0)


def test_one_that_asks_nothing_is_given_up(server, monkeypatch):
    monkeypatch.setattr(server_module._Client, "timeout", 0.2)
    with socket.create_connection((server.host, server.port), PATIENCE_S) as silent:
        assert silent.recv(1) == b""


def test_no_more_clients_than_there_is_room_for(server, shown, monkeypatch):
    show(shown, 10)
    clients = [Stream(server) for _ in range(server_module.STREAMS)]
    refused = Stream(server)
    assert refused.status == b"503"
    assert get(server, "/status")[0].status == 200
    clients.pop().close()
    wait_for(lambda: Stream(server).status == b"200")
    for client in [*clients, refused]:
        client.close()


def test_connections_are_counted(server):
    held = [
        socket.create_connection((server.host, server.port), PATIENCE_S)
        for _ in range(server_module.CONNECTIONS)
    ]
    wait_for(lambda: streaming() == server_module.CONNECTIONS)
    with pytest.raises((http.client.HTTPException, OSError)):
        get(server, "/status")
    for one in held:
        one.close()
    wait_for(lambda: streaming() == 0)
    assert get(server, "/status")[0].status == 200


def test_the_end_ends_streams(shown):
    with Server(shown, dict, 0) as server:
        show(shown, 10)
        client = Stream(server)
        assert client.frame() == 10
    assert client.frame_after(10) is None
    wait_for(lambda: streaming() == 0)
    assert not [one for one in threading.enumerate() if one.name == "serve"]
    client.close()
