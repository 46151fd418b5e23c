# SPDX-License-Identifier: BSD-3-Clause
"""Another version, or no package at all, is told before anything else happens."""

import asyncio
import logging
import socket
import sys
from concurrent import futures

import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
import distributed
from local_cluster import local_cluster

from qnn.cluster import connection
from qnn.errors import QnnError


def test_another_version_of_distributed(tmp_path, monkeypatch):
    with local_cluster(tmp_path) as cluster:
        client = connection.connect(cluster.address)
        connection.close(client)
        monkeypatch.setattr(distributed, "__version__", "1.2.3")
        for call in (connection.check, connection.connect):
            with pytest.raises(
                QnnError, match=r"runs distributed 2.*, this program 1\.2\.3: start"
            ):
                call(cluster.address)


def test_somebody_who_says_nothing(monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_S", 0.2)
    monkeypatch.setattr(connection, "ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(QnnError, match=r"no Dask scheduler answers at .*: there is somebody"):
            connection.connect(address)


def test_nobody_who_listens(monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(QnnError, match=rf"at {address}: nobody listens there; `dask scheduler` "):
        connection.connect(address)


def test_dask_itself_says_nothing_that_is_not_fatal():
    connection.distributed()

    speakers = [
        name
        for name in logging.root.manager.loggerDict
        if name.split(".")[0] in ("distributed", "tornado")
    ]
    assert len(speakers) > 10 and "distributed.client" in speakers
    assert [n for n in speakers if logging.getLogger(n).isEnabledFor(logging.ERROR)] == []


def test_a_reason_is_no_name_of_a_class():
    for problem in (TimeoutError(), asyncio.TimeoutError(), OSError(), asyncio.CancelledError()):
        assert " " in connection.why(problem)
    assert connection.why(OSError("no\n way")) == "no way"
    assert connection.why(futures.TimeoutError()) == connection.why(TimeoutError())
    assert connection.why(KeyError("workers")) == connection.why(OSError())


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(QnnError, match=r"needs the package distributed: pip install 'qnn\[cluster"):
        connection.connect("tcp://127.0.0.1:1")
