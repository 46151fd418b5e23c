# SPDX-License-Identifier: BSD-3-Clause
"""Nothing gets a name in the destination that is not, bit for bit, the file asked for."""

import hashlib
import http.server
import os
import socketserver
import threading
import time
from pathlib import Path

import pytest

from qnn.errors import FetchError
from qnn.store import fetch
from qnn.store.sources import SOURCES, Source

REPOSITORY, COMMIT = "Someone/Some-Nets", "0123456789abcdef" * 2 + "01234567"
CONTENT = {
    "LICENSE": b"do as you like\n",
    "nets/a/0-0-thres.bin": b"",
    "nets/a/0-0-weights.bin": bytes(range(256)) * 1000,
    "nets/a/classes.txt": b"cat\ndog\n",
    "nets/a+b %/odd name.bin": b"\0",
    "nets/fc.npy.bz2": b"large",
}
OPTIONAL = "nets/fc.npy.bz2"  # its size is not known
ODD = "nets/a+b %/odd name.bin"


@pytest.fixture
def source(tmp_path) -> Source:
    """A source of six files, listed like the shipped ones."""
    folder = tmp_path / "lists"
    folder.mkdir()
    with (folder / "net.tree").open("w") as tree:
        for path, data in sorted(CONTENT.items()):
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            size = "-" if path == OPTIONAL else len(data)
            tree.write(f"100644 blob {blob} {size:>7}\t{path}\n")
    return Source(
        name="net",
        title="A net",
        repository=REPOSITORY,
        commit=COMMIT,
        licence="BSD-3-Clause",
        importer="bnn-pynq",
        root="nets/a",
        optional={OPTIONAL: "It holds the last layers."},
        folder=folder,
    )


@pytest.fixture
def destination(tmp_path) -> Path:
    path = tmp_path / "destination"
    path.mkdir()
    return path


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves `content` below /owner/name/commit/; `faults[path]` may take an answer over.

    A fault is called as fault(handler, n) for the n-th request of its path, from 0 on; it returns
    True if it has answered.
    """

    daemon_threads = True
    request_queue_size = 32

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = dict(CONTENT)
        self.faults = {}
        self.asked = []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        prefix = f"/{REPOSITORY}/{COMMIT}/"
        assert self.path.startswith(prefix), self.path
        path = self.path[len(prefix) :].replace("%20", " ").replace("%2B", "+").replace("%25", "%")
        count = self.server.asked.count(path)
        self.server.asked.append(path)
        fault = self.server.faults.get(path)
        if fault and fault(self, count):
            return
        if path in self.server.content:
            self.answer(200, self.server.content[path])
        else:
            self.answer(404, b"404: Not Found")

    def answer(self, status, data, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


def collect(source, destination, server, **options):
    options = {"timeout_s": 5, "retries": 2, "backoff_s": 0.001, **options}
    return fetch.collect(source, destination, base_url=server.url, **options)


def named_files(destination):
    return {p.relative_to(destination).as_posix() for p in destination.rglob("*") if p.is_file()}


def assert_only_true_files(destination, *, without):
    found = named_files(destination)
    assert found <= set(CONTENT) - {without}
    for path in found:
        assert (destination / path).read_bytes() == CONTENT[path]


def assert_complete(destination, without=()):
    assert named_files(destination) == set(CONTENT) - set(without)
    for path in set(CONTENT) - set(without):
        assert (destination / path).read_bytes() == CONTENT[path]


def test_download(source, destination, server):
    progress = []
    absent = collect(source, destination, server, progress=lambda *at: progress.append(at))
    assert absent == []
    assert_complete(destination)
    assert progress == [(n, len(CONTENT)) for n in range(1, len(CONTENT) + 1)]
    assert sorted(server.asked) == sorted(CONTENT)


def test_download_without_a_length(source, destination, server):
    def chunked(handler, _):
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (b"cat\n", b"dog\n", b""):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.close_connection = True
        return True

    server.faults["nets/a/classes.txt"] = chunked
    assert collect(source, destination, server) == []
    assert_complete(destination)


def test_optional_file_may_be_absent(source, destination, server):
    del server.content[OPTIONAL]
    assert collect(source, destination, server) == [OPTIONAL]
    assert_complete(destination, without=[OPTIONAL])
    assert server.asked.count(OPTIONAL) == 1


def test_missing_file(source, destination, server):
    del server.content["nets/a/classes.txt"]
    with pytest.raises(FetchError, match=r"nets/a/classes\.txt is missing: http.*mirror$"):
        collect(source, destination, server)
    assert_only_true_files(destination, without="nets/a/classes.txt")


@pytest.mark.parametrize("path", ["nets/a/0-0-weights.bin", OPTIONAL, ODD, "LICENSE"])
def test_altered_byte(source, destination, server, path):
    data = bytearray(CONTENT[path])
    data[len(data) // 2] ^= 1
    server.content[path] = bytes(data)
    expected = next(f.blob for f in source.files() if f.path == path)
    found = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    with pytest.raises(FetchError) as error:
        collect(source, destination, server)
    for part in (path, expected, found):
        assert part in str(error.value)
    assert_only_true_files(destination, without=path)
    assert server.asked.count(path) == 1


@pytest.mark.parametrize("path", ["nets/a/0-0-weights.bin", OPTIONAL])
def test_short_file(source, destination, server, path):
    server.content[path] = CONTENT[path][:-1]
    with pytest.raises(FetchError, match=rf"{len(CONTENT[path]) - 1} bytes"):
        collect(source, destination, server)
    assert_only_true_files(destination, without=path)


@pytest.mark.parametrize("path", ["nets/a/0-0-weights.bin", "nets/a/0-0-thres.bin"])
def test_long_file_is_not_read_on(source, destination, server, path):
    sent = 0

    def endless(handler, _):
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        try:
            handler.wfile.write(CONTENT[path])
            while not server.closing.is_set():
                sent += handler.wfile.write(bytes(1 << 16))
        except OSError:  # the client has hung up
            pass
        return True

    server.faults[path] = endless
    size = len(CONTENT[path])
    with pytest.raises(FetchError, match=rf"^{path} is not the file .* exceeds {size} bytes$"):
        collect(source, destination, server)
    assert sent < 64 << 20  # what sockets buffer, no more
    assert_only_true_files(destination, without=path)


def test_file_of_unknown_size_is_bounded(source, destination, server, monkeypatch):
    monkeypatch.setattr(fetch, "_MAX_BYTES", 1000)
    server.content[OPTIONAL] = bytes(1001)
    with pytest.raises(FetchError, match="exceeds 1000 bytes"):
        collect(source, destination, server)


@pytest.mark.parametrize("path", ["nets/a/0-0-weights.bin", OPTIONAL])
def test_truncated_body(source, destination, server, path):
    data = CONTENT[path]

    def broken(handler, _):
        handler.answer(200, data[:-1], length=len(data))
        return True

    server.faults[path] = broken
    with pytest.raises(FetchError, match=rf"{path} .* breaks off after {len(data) - 1} of"):
        collect(source, destination, server, retries=1)
    assert server.asked.count(path) == 2
    assert_only_true_files(destination, without=path)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_failure_is_tried_again(source, destination, server, status):
    def failing(handler, count):
        if count < 2:
            handler.answer(status, b"not now" * 100)
        return count < 2

    server.faults = dict.fromkeys(CONTENT, failing)
    assert collect(source, destination, server, retries=2) == []
    assert_complete(destination)
    assert sorted(server.asked) == sorted([*CONTENT] * 3)


def test_a_truncated_body_is_fetched_again_from_its_start(source, destination, server):
    path = "nets/a/0-0-weights.bin"

    def broken_once(handler, count):
        if count == 0:
            handler.answer(200, CONTENT[path][:99_999], length=len(CONTENT[path]))
        return count == 0

    server.faults[path] = broken_once
    assert collect(source, destination, server) == []
    assert_complete(destination)


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (403, 1)])
def test_a_lasting_failure(source, destination, server, status, tries):
    def failing(handler, _):
        handler.answer(status, b"")
        return True

    server.faults[OPTIONAL] = failing  # not a 404: the file may exist
    with pytest.raises(FetchError, match=rf"{OPTIONAL} cannot be fetched .* {status}.*mirror$"):
        collect(source, destination, server, retries=2)
    assert server.asked.count(OPTIONAL) == tries


def test_hanging_server(source, destination, server):
    def hang(handler, _):
        server.closing.wait(600)
        return True

    server.faults["LICENSE"] = hang
    start = time.monotonic()
    with pytest.raises(FetchError, match=r"LICENSE cannot be fetched .* timed out"):
        collect(source, destination, server, timeout_s=0.2, retries=1)
    assert time.monotonic() - start < 300
    assert_only_true_files(destination, without="LICENSE")


def test_dripping_server(source, destination, server, monkeypatch):
    monkeypatch.setattr(fetch, "_MIN_RATE", 1 << 20)
    path = "nets/a/0-0-weights.bin"

    def drip(handler, _):
        handler.send_response(200)
        handler.end_headers()
        try:
            for byte in CONTENT[path]:
                handler.wfile.write(bytes([byte]))
                if server.closing.wait(0.05):
                    break
        except OSError:
            pass
        return True

    server.faults[path] = drip
    start = time.monotonic()
    with pytest.raises(FetchError, match="too slow"):
        collect(source, destination, server, timeout_s=0.3, retries=0)
    assert time.monotonic() - start < 300


def test_no_server(source, destination, server):
    with pytest.raises(FetchError, match=r"cannot be fetched .*refused.*check the connection"):
        fetch.collect(source, destination, base_url="http://127.0.0.1:1", backoff_s=0.001)
    assert named_files(destination) == set()


@pytest.mark.parametrize("url", ["http://example.org", "ftp://example.org", "example.org", ""])
def test_only_https(source, destination, url):
    with pytest.raises(FetchError, match="not an https address"):
        fetch.collect(source, destination, base_url=url)


def test_address_of_a_file(source, destination, monkeypatch):
    urls = []

    def urlopen(request, timeout):
        urls.append((request.full_url, timeout))
        raise OSError("no network in this test")

    monkeypatch.setattr(fetch.urllib.request, "urlopen", urlopen)
    with pytest.raises(FetchError, match="no network in this test"):
        fetch.collect(source, destination, retries=0)
    base = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}"
    assert (f"{base}/LICENSE", 30) in urls


def test_ctrl_c_stops_at_once_and_leaves_no_partial_file(source, destination, server):
    def hang(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Length", "15")
        handler.end_headers()
        handler.wfile.write(b"do as")
        handler.wfile.flush()
        server.closing.wait(600)
        return True

    server.faults["LICENSE"] = hang

    def interrupt(done, _):
        if done == 2:
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        collect(source, destination, server, timeout_s=600, progress=interrupt)
    assert time.monotonic() - start < 300
    assert len(named_files(destination)) == 2
    assert_only_true_files(destination, without="LICENSE")
    assert list(destination.glob(".*")) == []


def test_ctrl_c_ends_the_pause_between_tries(source, destination, server):
    server.faults["LICENSE"] = lambda handler, _: handler.answer(500, b"") or True

    def interrupt(*_):
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        collect(source, destination, server, backoff_s=600, progress=interrupt)
    assert time.monotonic() - start < 300
    assert not any(thread.name == "qnn.fetch" for thread in threading.enumerate())


def write_mirror(root):
    for path, data in CONTENT.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


@pytest.mark.parametrize("below", ["", "some-nets", "Some-Nets"])
def test_mirror(source, destination, tmp_path, below):
    write_mirror(tmp_path / "mirror" / below)
    progress = []
    absent = fetch.collect(
        source,
        destination,
        mirror=tmp_path / "mirror",
        base_url="nothing is downloaded",
        progress=lambda *at: progress.append(at),
    )
    assert absent == []
    assert_complete(destination)
    assert progress == [(n, len(CONTENT)) for n in range(1, len(CONTENT) + 1)]


def test_mirror_of_links(source, destination, tmp_path):
    write_mirror(tmp_path / "elsewhere")
    (tmp_path / "mirror").mkdir()
    for name in ("LICENSE", "nets"):
        (tmp_path / "mirror" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert fetch.collect(source, destination, mirror=tmp_path / "mirror") == []
    assert_complete(destination)
    assert not any(p.is_symlink() for p in destination.rglob("*"))


def test_mirror_that_is_none(source, destination, tmp_path):
    for mirror in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FetchError, match=r"is no copy of Someone/Some-Nets .*nets/a$"):
            fetch.collect(source, destination, mirror=mirror)


def test_mirror_lacks_files(source, destination, tmp_path):
    mirror = write_mirror(tmp_path / "mirror")
    (mirror / OPTIONAL).unlink()
    assert fetch.collect(source, destination, mirror=mirror) == [OPTIONAL]
    assert_complete(destination, without=[OPTIONAL])

    (mirror / "LICENSE").unlink()
    with pytest.raises(FetchError, match="LICENSE is missing"):
        fetch.collect(source, destination, mirror=mirror)


@pytest.mark.parametrize("path", ["nets/a/classes.txt", OPTIONAL])
@pytest.mark.parametrize("change", ["altered", "short", "long", "directory", "pipe"])
def test_mirror_with_another_file(source, destination, tmp_path, path, change):
    mirror = write_mirror(tmp_path / "mirror")
    file, data = mirror / path, CONTENT[path]
    file.unlink()
    if change == "directory":
        file.mkdir()
    elif change == "pipe":
        os.mkfifo(file)
    else:
        file.write_bytes(
            {"altered": b"C" + data[1:], "short": data[:-1], "long": data + b"x"}[change]
        )
    with pytest.raises(FetchError, match=path):
        fetch.collect(source, destination, mirror=mirror)
    assert_only_true_files(destination, without=path)


def test_destination_in_the_way(source, destination, tmp_path):
    (destination / "nets").write_bytes(b"a file")
    with pytest.raises(FetchError, match=r"destination/nets/.* cannot be written"):
        fetch.collect(source, destination, mirror=write_mirror(tmp_path / "mirror"))


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("below", ["", "qnn-mo-pynq", "bnn-pynq"])
def test_reference_is_a_mirror_of_all_sources(name, below, destination, reference):
    source, mirror = SOURCES[name], reference / below
    if below not in ("", source.repository.split("/")[1].lower()):
        with pytest.raises(FetchError, match="is no copy of"):
            fetch.collect(source, destination, mirror=mirror)
        return
    absent = fetch.collect(source, destination, mirror=mirror)
    assert absent == (["qnn/params/dorefanet-fc-normalized.npy.bz2"] if name == "dorefanet" else [])
    assert named_files(destination) == {f.path for f in source.files()} - set(absent)
    assert (destination / source.root).exists()
