# SPDX-License-Identifier: BSD-3-Clause
"""Nothing of a session is left running, whenever it is interrupted."""

import signal
import subprocess

import pytest
from processes import assert_gone

from qnn_sim import process_session

pytestmark = pytest.mark.usefixtures("interruptible")
BACKGROUND = "sleep 60 & echo $! > child; echo $!; wait"


def test_outputs_and_status(tmp_path):
    command = ["sh", "-c", "echo $0; pwd; echo wrong >&2; exit 3"]
    with process_session.started(command, tmp_path) as process:
        assert process.stdout.read().splitlines() == ["sh", str(tmp_path), "wrong"]
        assert process.wait(60) == 3


def test_an_error_in_the_block_ends_it(tmp_path):
    with (
        pytest.raises(ValueError, match="of the block"),
        process_session.started(["sh", "-c", BACKGROUND], tmp_path) as process,
    ):
        child = int(process.stdout.readline())
        raise ValueError("of the block")
    assert_gone(child)


def test_the_limit_ends_it(tmp_path):
    with process_session.started(["sh", "-c", BACKGROUND], tmp_path, limit_s=0.5) as process:
        child = int(process.stdout.read())
    assert process.returncode == -signal.SIGKILL
    assert_gone(child)


def test_interrupted_before_anybody_knows_the_process(tmp_path, monkeypatch):
    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.stdout.readline()  # the child is there
            signal.raise_signal(signal.SIGINT)  # to this thread: pytest-xdist has others

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with (
        pytest.raises(KeyboardInterrupt),
        process_session.started(["sh", "-c", BACKGROUND], tmp_path),
    ):
        pytest.fail("the interrupt is lost")
    assert_gone(int((tmp_path / "child").read_text()))


def test_a_command_that_is_not_there_leaves_interrupts_as_they_were(tmp_path):
    with pytest.raises(FileNotFoundError), process_session.started(["no-such-thing"], tmp_path):
        pass
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(process_session.INTERRUPTS)


def test_the_command_can_be_interrupted(tmp_path):
    script = "trap 'echo caught; exit 5' INT; echo ready; for i in $(seq 1000); do sleep 0.05; done"
    with process_session.started(["sh", "-c", script], tmp_path) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "caught\n"
        assert process.wait(60) == 5
