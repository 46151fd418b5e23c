# SPDX-License-Identifier: BSD-3-Clause
"""The way to a Dask scheduler. Needs the packages of the extra `cluster`, imported only here."""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
import warnings
from concurrent import futures
from typing import Any

from qnn.errors import QnnError

CONNECT_S = 15.0
ANSWER_S = 5.0  # as long again, for who listens
CLOSE_S = 5.0
# Loggers to which Dask gives a level and a way to standard error of their own.
SPEAKERS = (
    "distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application",
)  # fmt: skip


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
    for name in SPEAKERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return module


def check(address: str) -> None:
    """Asks the scheduler at an address such as tcp://host:8786 for its version.

    Raises:
        QnnError: `distributed` is not installed, nobody listens within CONNECT_S or answers within
            ANSWER_S more, or the scheduler has another version of it.
    """
    package = distributed()
    try:
        theirs = asyncio.run(asyncio.wait_for(_version(package, address), CONNECT_S + ANSWER_S))
    except Exception as problem:  # the classes of Dask, tornado and the system, without a list
        nobody = OSError("nobody listens there; `dask scheduler` starts one")
        raise silent(address, nobody if _refused(package, address) else problem) from None
    if theirs != package.__version__:
        raise QnnError(
            f"the scheduler at {address} runs distributed {theirs}, this program "
            f"{package.__version__}: start it from an installation of the same version"
        )


def connect(address: str) -> Any:
    """A client of a scheduler; `close` it. Errors as of `check`."""
    check(address)  # a client would wait for ever where somebody listens and says nothing
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions that do not matter
            return distributed().Client(address, timeout=CONNECT_S)
    except (OSError, ValueError, ImportError) as problem:
        raise silent(address, problem) from None


async def _version(package: Any, address: str) -> str:
    """Of the package distributed, as the scheduler has it."""
    arguments = package.Security().get_connection_args("client")
    async with package.core.rpc(address, timeout=CONNECT_S, connection_args=arguments) as scheduler:
        found = await scheduler.versions()
    return str(found["packages"]["distributed"])


def _refused(package: Any, address: str) -> bool:
    """Whether the machine is there, and says that nothing listens at that port."""
    try:
        socket.create_connection(package.comm.get_address_host_port(address), 1).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):
        pass
    return False


def close(client: Any) -> None:
    """Ends a client, whatever has become of the scheduler."""
    client.close(timeout=CLOSE_S)


def silent(address: str, problem: Exception) -> QnnError:
    """The error to raise where no scheduler answers."""
    return QnnError(f"no Dask scheduler answers at {address}: {why(problem)}")


def why(problem: BaseException) -> str:
    """The reason that an error of Dask, tornado or the system gives, on one line."""
    reason = " ".join(str(problem).split())
    if reason and not isinstance(problem, KeyError):  # that says only a key
        return reason
    if isinstance(problem, (TimeoutError, asyncio.TimeoutError, futures.TimeoutError)):
        return "there is somebody, who says nothing"
    return "the connection is broken"
