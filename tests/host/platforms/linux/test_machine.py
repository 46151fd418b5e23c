# SPDX-License-Identifier: BSD-3-Clause
"""Files of a kernel, on real files: what is not possible is one sentence that names the file."""

import os
import pty
import threading
import tty

import pytest

from qnn.errors import PlatformError
from qnn.platforms.linux.machine import Machine


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_registers_are_words_of_the_device(machine, tmp_path):
    (tmp_path / "mem").write_bytes(bytes(4096) + bytes(range(256)) * 16)
    words = machine.words("mem", 4096, 4096)
    assert words[1] == 0x07060504
    words[1023] = 0x89ABCDEF
    assert (tmp_path / "mem").read_bytes()[-4:] == bytes.fromhex("efcdab89")
    with pytest.raises(IndexError):
        words[1024]


def test_memory_is_shared_with_the_device(machine, tmp_path):
    (tmp_path / "memory").write_bytes(bytes(8192))
    memory = machine.memory("memory", 8192, sync=True)
    memory[8191] = 7
    assert (tmp_path / "memory").read_bytes()[8191] == 7 and memory.shape == (8192,)


def test_a_whole_file_or_none(machine, tmp_path):
    machine.store("lib/firmware/a.bin", b"one")
    machine.store("lib/firmware/a.bin", b"two")
    assert [p.name for p in (tmp_path / "lib/firmware").iterdir()] == ["a.bin"]
    assert (tmp_path / "lib/firmware/a.bin").read_bytes() == b"two"
    (tmp_path / "file").touch()
    with pytest.raises(PlatformError, match=r"cannot write .*file/a\.bin"):
        machine.store("file/a.bin", b"")


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda m: m.read("none"), "cannot read .*/none: No such file"),
        (lambda m: m.number("text"), "text holds 'x', no number"),
        (lambda m: m.write("none", "1"), "cannot write .*/none: No such file"),
        (lambda m: m.words("none", 4096), "cannot map .*/none: No such file"),
        (lambda m: m.words("text", 4096), "cannot map .*/text: "),  # too short
        (lambda m: m.make_folder("none/a"), "cannot make .*/none/a: No such file"),
        (lambda m: m.make_folder("text"), "cannot make .*/text: File exists"),
        (lambda m: m.remove_folder("none"), "cannot remove .*/none: No such file"),
        (lambda m: m.interrupt("none"), "cannot open .*/none: No such file"),
    ],
)
def test_what_is_not_possible(machine, tmp_path, use, words):
    (tmp_path / "text").write_text("x")
    with pytest.raises(PlatformError, match=words) as error:
        use(machine)
    assert "\n" not in str(error.value)


def test_an_attribute_that_refuses(machine, tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(PlatformError, match=r"cannot write .*/full: No space left"):
        machine.write("full", "1")


def test_names(machine, tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
    assert machine.find("*") == ["a", "b"] and machine.find("none/*") == []
    assert machine.exists("a") and not machine.exists("c")


@pytest.fixture
def line(machine):
    """The kernel's side of a UIO device, and the Interrupt."""
    kernel, user = pty.openpty()
    tty.setraw(user)
    interrupt = Machine().interrupt(os.ttyname(user).lstrip("/"))
    yield kernel, interrupt
    interrupt.close()
    interrupt.close()
    os.close(kernel), os.close(user)


def test_an_interrupt_is_switched_on_and_read(line):
    kernel, interrupt = line
    os.write(kernel, (1).to_bytes(4, "little"))
    assert interrupt.wait(30)
    assert os.read(kernel, 100) == bytes([1, 0, 0, 0])
    assert not interrupt.wait(0.001)  # it was one


def test_an_interrupt_during_the_wait(line):
    kernel, interrupt = line
    timer = threading.Timer(0.02, lambda: os.write(kernel, bytes(4)))
    timer.start()
    assert interrupt.wait(30)
    timer.join()
