# SPDX-License-Identifier: BSD-3-Clause
"""qnn worker: what it refuses before it works, and what it says of itself."""

import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

from qnn.cluster import connection
from qnn.commands import worker


class Held:
    """A holder on a board."""

    description = {  # noqa: RUF012
        "backend": "pynq", "platform": "Linux armv7l", "python": "3.10.4", "numpy": "1.21.5",
        "pillow": "9.0.1", "networks": {"a": "01" * 32, "b": "ab" * 32}, "clock_mhz": 99.5,
        "capabilities": {"pe": 32, "simd": 64},
    }  # fmt: skip


def test_what_it_says(capsys):
    worker._tell("tcp://a:1", Held())
    assert capsys.readouterr().out == (
        "worker tcp://a:1: pynq on Linux armv7l, Python 3.10.4, numpy 1.21.5, pillow 9.0.1\n"
        "networks: a 010101010101, b abababababab\naccelerator: 99.5 MHz, pe 32, simd 64\n"
    )


def test_no_scheduler(cli, monkeypatch, nothing_runs):
    monkeypatch.setattr(connection, "CONNECT_S", 1)
    refusal = cli.refused("worker", "--cluster", "tcp://127.0.0.1:1")
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in refusal


def test_bad_models_and_backends(cli, monkeypatch):
    monkeypatch.setattr(connection, "check", lambda _: None)
    address = ("worker", "--cluster", "tcp://127.0.0.1:1")
    assert "'nothing'" in cli.refused(*address, "--model", "fashion-cnv", "--model", "nothing")
    assert "'nothing'" in cli.refused(*address, "--backend", "nothing")
