# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures and settings that every test shares."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import chosen_kernels
import fresh_seeds
import kept_result
import numpy as np
import pace
import pytest
import soaking
from hypothesis import settings

from qnn.errors import QnnError
from qnn_sim import run_options

# The machine that runs the tests may be slow; a failure prints how to repeat it.
settings.register_profile("qnn", deadline=None, print_blob=True, derandomize=False)
settings.load_profile("qnn")


def pytest_addoption(parser):
    fresh_seeds.add_options(parser)
    soaking.add_options(parser)
    kept_result.add_options(parser)


def pytest_configure(config):
    """What the environment says about the run is checked before the first test."""
    try:
        seed = run_options.seed()
        run_options.simulator(), run_options.layers(1), run_options.turns()
        chosen_kernels.implementations()
        chosen_kernels.configurations()
        chosen_kernels.networks()
    except QnnError as problem:
        raise pytest.UsageError(str(problem)) from None
    if seed is not None and config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = seed  # read when the plugin of Hypothesis is configured
    if config.option.fresh_seeds is not None:
        config.pluginmanager.register(fresh_seeds.FreshSeeds(config), "fresh_seeds")
    if config.option.soak_seconds is not None:
        config.pluginmanager.register(soaking.Soak(config), "soak")
    config.pluginmanager.register(pace.Order(run_options.switched_on("FAST")), "order")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(pace.Progress(config), "progress")
        if config.option.result is not None:
            result = kept_result.KeptResult(config.option.result.resolve())
            config.pluginmanager.register(result, "result")
        short = " SHORT=1: few cases of each test" if run_options.short() else ""
        print(f"SEED={'random' if seed is None else seed}{short}")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of third-party parameters and test vectors; skips where there is none."""
    found = run_options.reference()
    if found is None:
        pytest.skip("QNN_REFERENCE does not name the reference data")
    return found


@pytest.fixture(scope="session")
def made_once(pytestconfig, tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """made_once("name", make) is a folder that make(folder) has filled: once for all processes of a
    run, so a test must not change what is in it."""
    base = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):  # one of several processes
        base = base.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        from filelock import FileLock

        folder, part = base / f"once-{name}", base / f"once-{name}.part"
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                make(part)
                part.rename(folder)
        return folder

    return made


@pytest.fixture
def interruptible():
    """Ctrl-C reaches this process and what it starts, also where a shell started it with `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def seed() -> int:
    """Of run_options; printed where a test fails."""
    chosen = run_options.seed()
    value = int(np.random.SeedSequence().entropy % 2**31) if chosen is None else chosen
    print(f"repeat with SEED={value}")
    return value
