# SPDX-License-Identifier: BSD-3-Clause
"""Pipes of every kind are read to their end, within bounds of memory and time."""

import io
import os
import pty
import socket
import threading
import time
import tracemalloc

import pytest

from qnn.errors import FormatError
from qnn.pictures import pipe

DATA = bytes(range(256)) * 1000  # more than a pipe holds


@pytest.fixture
def written():
    """written(data) is the descriptor of a pipe that a thread writes data into and closes."""
    ends, threads = [], []

    def start(data: bytes) -> int:
        end, other = os.pipe()
        ends.append(end)
        threads.append(threading.Thread(target=write, args=(other, data)))
        threads[-1].start()
        return end

    yield start
    for end in ends:
        os.close(end)  # ends a writer that is not read to its end
    for thread in threads:
        thread.join()


def write(target, data: bytes, wait: float = 0) -> None:
    """Into a descriptor, or into a fifo by its name, in two halves."""
    with open(target, "wb", buffering=0) as file:
        try:
            for half in (data[: len(data) // 2], data[len(data) // 2 :]):
                time.sleep(wait)
                file.write(half)
        except BrokenPipeError:
            pass


@pytest.fixture
def fifo(tmp_path) -> str:
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
def test_a_descriptor(written, folder):
    name = f"{folder}/{written(DATA)}"
    assert pipe.is_pipe(name)
    assert pipe.read(name, FormatError) == pipe.Piped(name, DATA)


def test_a_descriptor_that_does_not_block(written):
    end = written(DATA)
    os.set_blocking(end, False)
    assert pipe.read(f"/dev/fd/{end}", FormatError).data == DATA


def test_a_socket():
    """As standard input is one behind ssh or a container's runtime."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"a picture")
        ours.close()
        name = f"/dev/fd/{theirs.fileno()}"
        assert pipe.is_pipe(name)
        assert pipe.read(name, FormatError).data == b"a picture"


@pytest.mark.parametrize("wait", [0, 0.1])
def test_a_fifo(fifo, wait):
    """Also one whose writer comes later than the reader, and is slow."""
    writer = threading.Thread(target=write, args=(fifo, DATA, wait))
    writer.start()
    assert pipe.is_pipe(fifo)
    assert pipe.read(fifo, FormatError) == pipe.Piped(fifo, DATA)
    writer.join()


def test_a_writer_is_waited_for_until_it_closes(fifo, monkeypatch):
    """The bound in time is for the first writer only."""
    monkeypatch.setattr(pipe, "WRITER_S", 0.2)
    writer = threading.Thread(target=write, args=(fifo, DATA, 0.5))
    descriptor = os.open(fifo, os.O_RDWR)
    writer.start()
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read(fifo, FormatError).data))
    reader.start()
    writer.join()
    os.close(descriptor)
    reader.join()
    assert found == [DATA]


def test_a_fifo_that_nobody_writes_to(fifo, monkeypatch):
    monkeypatch.setattr(pipe, "WRITER_S", 0.1)
    with pytest.raises(FormatError, match="fifo cannot be read: no program has opened it"):
        pipe.read(fifo, FormatError)


def test_nothing_came(fifo, written):
    writer = threading.Thread(target=write, args=(fifo, b""))
    writer.start()
    for name in (fifo, f"/dev/fd/{written(b'')}"):
        with pytest.raises(FormatError, match=f"{name}: nothing came through the pipe"):
            pipe.read(name, FormatError)
    writer.join()


def test_too_much_came(written):
    """Refused as soon as that is known, without reading what is left."""
    name = f"/dev/fd/{written(DATA)}"
    with pytest.raises(FormatError, match=f"{name}: more than 0 MiB came"):
        pipe.read(name, FormatError, 1000)
    assert pipe.read(name, FormatError).data == DATA[1001:]


def test_the_limit_itself_is_not_too_much(written):
    assert pipe.read(f"/dev/fd/{written(DATA)}", FormatError, len(DATA)).data == DATA


def test_memory_is_taken_by_what_comes(written):
    end = written(DATA)
    tracemalloc.start()
    pipe.read(f"/dev/fd/{end}", FormatError)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_standard_input(written, monkeypatch):
    assert pipe.is_pipe("-")
    with open(written(DATA), closefd=False) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert pipe.read("-", FormatError) == pipe.Piped("-", DATA)
        with pytest.raises(FormatError, match="nothing came through standard input"):
            pipe.read("-", FormatError)


def test_standard_input_that_is_an_object(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DATA)))
    assert pipe.read("-", FormatError).data == DATA


def test_standard_input_that_is_none(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(FormatError, match="- cannot be read: standard input is closed"):
        pipe.read("-", FormatError)
    control, terminal = pty.openpty()
    with open(control, "wb", buffering=0), open(terminal) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(FormatError, match="is a terminal"):
            pipe.read("-", FormatError)


def test_what_is_no_pipe(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name in (tmp_path, tmp_path / "file", tmp_path / "none", "/dev/null", "", "\0", "x" * 300):
        assert not pipe.is_pipe(str(name))
