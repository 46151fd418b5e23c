# SPDX-License-Identifier: BSD-3-Clause
"""The lock of a device: one holder, named to whoever comes second, gone with its process."""

import os
import subprocess
import sys

import pytest

from qnn.errors import DeviceBusyError, PlatformError
from qnn.platforms.lock import DeviceLock

HOLDER = """
import sys, time
from pathlib import Path
from qnn.platforms.lock import DeviceLock
lock = DeviceLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "device.lock"


def test_held_once(path):
    lock = DeviceLock(path, "the board")
    with pytest.raises(DeviceBusyError, match=f"the board is in use by process {os.getpid()}"):
        DeviceLock(path, "the board")
    lock.release()
    lock.release()
    DeviceLock(path).release()


def test_names_another_process_and_outlives_its_death(path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout.readline() == b"held\n"
            with pytest.raises(DeviceBusyError, match=rf"process {child.pid}\b"):
                DeviceLock(path)
        finally:
            child.kill()
    DeviceLock(path).release()


def test_refusal_leaks_no_file(path):
    with_lock = DeviceLock(path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(DeviceBusyError):
            DeviceLock(path)
    assert len(os.listdir("/proc/self/fd")) == before
    with_lock.release()


def test_names_the_file_it_cannot_open(tmp_path):
    with pytest.raises(PlatformError, match=r"none/device\.lock"):
        DeviceLock(tmp_path / "none" / "device.lock")
