# SPDX-License-Identifier: BSD-3-Clause
"""What `make test-armhf` would run, and what it says where it cannot; nothing is emulated here."""

import shlex
import sys
import sysconfig

import pytest

import armhf as script
import count


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine that has all, whose commands are noted and succeed; the calls."""
    calls = []
    monkeypatch.setenv("MIRROR", "http://mirror.invalid/debian")
    binfmt = tmp_path / "binfmt"
    binfmt.touch()
    monkeypatch.setattr(script, "BINFMT", binfmt)
    monkeypatch.setattr(script.shutil, "which", lambda tool: f"/usr/bin/{tool}")
    monkeypatch.setattr(script.os, "geteuid", lambda: 0)

    def call(command):
        words = [str(word) for word in command]
        calls.append(words)
        if words[0] == "mmdebstrap":
            (tmp_path / "root" / script.LIBRARIES).mkdir(parents=True)
            (tmp_path / "root/usr/bin").mkdir()
        return 0

    monkeypatch.setattr(script, "call", call)
    return calls


def run(monkeypatch, tmp_path, *command) -> int:
    monkeypatch.setattr(sys, "argv", ["armhf.py", "--root", str(tmp_path / "root"), *command])
    return script.main()


def test_made_once_and_entered(machine, monkeypatch, tmp_path):
    monkeypatch.setenv("QNN_HOME", "/a home")
    monkeypatch.delenv("SEED", raising=False)
    assert run(monkeypatch, tmp_path) == 0
    assert run(monkeypatch, tmp_path, "qnn", "bench", "--stages") == 0
    made, tests, bench = machine
    assert made[0] == "mmdebstrap" and "--architectures=armhf" in made
    assert made[-3:] == [script.SUITE, str(tmp_path / "root"), "http://mirror.invalid/debian"]
    for words, inner in (
        (tests, "pytest -p no:cacheprovider tests/host"),
        (bench, "bench --stages"),
    ):
        assert words[:4] == ["unshare", "--mount", "sh", "-c"]
        *mounts, entered = words[4].split(" && exec chroot ")
        assert f"mount --bind {script.ROOT} {tmp_path}/root{script.ROOT}" in mounts[0]
        entered = shlex.split(entered)
        assert entered[:3] == [str(tmp_path / "root"), "/usr/bin/env", "-i"]
        assert "QNN_HOME=/a home" in entered and entered[-1].endswith(inner)
        assert entered[-1].startswith(f"cd {script.ROOT} && exec ")


def test_made_again_of_other_packages(machine, monkeypatch, tmp_path):
    run(monkeypatch, tmp_path, "true")
    monkeypatch.setattr(script, "PACKAGES", ("python3",))
    run(monkeypatch, tmp_path, "true")
    assert [words[0] for words in machine] == ["mmdebstrap", "unshare"] * 2


def test_what_is_put_into_it(machine, monkeypatch, tmp_path):
    run(monkeypatch, tmp_path, "true")
    site, libraries = tmp_path / "root" / script.SITE, tmp_path / "root" / script.LIBRARIES
    (paths,) = site.glob("*.pth")
    assert paths.read_text() == (site_of_this_one() / paths.name).read_text()
    assert len(list(site.glob("qnn-*.dist-info"))) == 1
    text = (tmp_path / "root/usr/bin/qnn").read_text()
    assert text.startswith("#!/usr/bin/python3\n") and "qnn.cli" in text
    assert (libraries / "libblas.so.3").readlink().as_posix() == "blas/libblas.so.3"


@pytest.mark.parametrize(
    ("apt", "expected"),
    [
        ("printf '%s\\n' file:/a/ http://b.invalid/", ["file:/a/"]),
        ("exit 0", []),
        ("echo 'E: no such command' >&2; exit 100", []),
        (None, []),
    ],
)
def test_packages_come_from_where_apt_has_them(monkeypatch, tmp_path, apt, expected):
    monkeypatch.delenv("MIRROR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if apt is not None:
        text = f'#!/bin/sh\n[ "$1" = indextargets ] || exit 2\n{apt}\n'
        (tmp_path / "apt-get").write_text(text)
        (tmp_path / "apt-get").chmod(0o755)
    assert script.mirror() == expected


def test_instructions_are_counted(machine, monkeypatch, tmp_path):
    """The emulator, its libraries and the plugin lie in the root; the plugin is compiled here."""
    emulator = script.shutil.copy("/bin/true", tmp_path / "qemu-arm")
    real = {"qemu-arm": emulator}
    monkeypatch.setattr(script.shutil, "which", lambda tool: real.get(tool, f"/usr/bin/{tool}"))
    assert run(monkeypatch, tmp_path, "--count", "qnn", "bench", "--stages") == 0
    _, compiled, entered = machine
    assert compiled[0] == "gcc" and compiled[-1] == str(count.PLUGIN)
    inside = f"/{script.COUNTER}"
    names = [path.name for path in (tmp_path / "root" / script.COUNTER).iterdir()]
    assert "qemu-arm" in names and "libc.so.6" in names
    words = entered[4].split(" && exec ")[-1]
    assert f"env QNN_INSTRUCTIONS={inside}/instructions {inside}/ld-" in words
    emulated = f"-plugin {inside}/count.so,into={inside}/instructions /usr/bin/python3 "
    assert f"--library-path {inside} {inside}/qemu-arm {emulated}/usr/bin/qnn bench" in words
    run(monkeypatch, tmp_path, "--count", "python3", "-c", "pass")
    assert f"{emulated}-c pass" in machine[-1][4]


def test_without_what_counts(machine, monkeypatch, tmp_path, capsys):
    there = script.shutil.which
    without = lambda tool: None if tool == "qemu-arm" else there(tool)  # noqa: E731
    monkeypatch.setattr(script.shutil, "which", without)
    assert run(monkeypatch, tmp_path, "--count", "true") == 2
    assert capsys.readouterr().err == "armhf: for the emulation: apt install qemu-user\n"
    assert run(monkeypatch, tmp_path, "true") == 0


def site_of_this_one():
    return script.Path(sysconfig.get_path("purelib"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m, _: m.setattr(script.shutil, "which", lambda _: None), "apt install mmdebstrap"),
        (lambda m, _: m.setattr(script.os, "geteuid", lambda: 1000), "sudo make test-armhf"),
        (lambda m, path: m.setattr(script, "BINFMT", path / "none"), "update-binfmts --enable"),
        (lambda m, _: m.setattr(script, "call", lambda _: 25), "could not be made"),
    ],
)
def test_where_it_cannot(machine, monkeypatch, tmp_path, capsys, spoil, message):
    spoil(monkeypatch, tmp_path)
    assert run(monkeypatch, tmp_path) == 2
    said = capsys.readouterr().err
    assert said.startswith("armhf: ") and said.count("\n") == 1 and message in said
    assert machine == [] and not (tmp_path / "root").exists()
