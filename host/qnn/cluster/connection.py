# SPDX-License-Identifier: BSD-3-Clause
"""The way to a Dask scheduler. Needs the packages of the extra `cluster`, imported only here."""

from __future__ import annotations

import importlib
import logging
import warnings
from typing import Any

from qnn.errors import QnnError

CONNECT_S = 15.0
CLOSE_S = 5.0


def distributed() -> Any:
    """The package of that name, which says no more on standard error than what is fatal.

    Raises:
        QnnError: it is not installed.
    """
    try:
        module = importlib.import_module("distributed")
    except ImportError:
        raise QnnError(
            "a cluster needs the package distributed: pip install 'qnn[cluster]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    return module


def connect(address: str) -> Any:
    """A client of the scheduler at an address such as tcp://host:8786; `close` it.

    Raises:
        QnnError: `distributed` is not installed, nobody answers within CONNECT_S, or the scheduler
            has another version of it.
    """
    package = distributed()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which are looked at below
            client = package.Client(address, timeout=CONNECT_S)
    except (OSError, TypeError, ValueError, ImportError) as problem:
        raise silent(address, problem) from None
    try:
        found = client.sync(client.scheduler.versions, callback_timeout=CONNECT_S)
        theirs = found["packages"].get("distributed")
    except Exception as problem:
        close(client)
        raise silent(address, problem) from None
    if theirs != package.__version__:
        close(client)
        raise QnnError(
            f"the scheduler at {address} runs distributed {theirs}, this program "
            f"{package.__version__}: start it from an installation of the same version"
        )
    return client


def close(client: Any) -> None:
    """Ends a client, whatever has become of the scheduler."""
    client.close(timeout=CLOSE_S)


def silent(address: str, problem: Exception) -> QnnError:
    """The error to raise where no scheduler answers."""
    reason = " ".join(str(problem).split()) or type(problem).__name__
    return QnnError(f"no Dask scheduler answers at {address}: {reason}")
