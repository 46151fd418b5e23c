# SPDX-License-Identifier: BSD-3-Clause
"""Earlier names of modules lead to where they lie now, and cost nothing until they are used."""

import subprocess
import sys
from importlib import import_module

import pytest

from qnn.moved import MOVED


@pytest.mark.parametrize("name", MOVED)
def test_earlier_names_lead_to_the_module(name):
    earlier, module = import_module(name), import_module(MOVED[name])
    public = [one for one in vars(module) if not one.startswith("_")]
    assert public and all(getattr(earlier, one) is getattr(module, one) for one in public)


def test_notebooks_of_earlier_versions():
    code = """
import sys
import qnn
assert "qnn.measure.bench" not in sys.modules and "qnn.pictures.draw" not in sys.modules
from qnn import Dorefanet, TinierYolo, draw, library, utils
from qnn.bench import PUBLISHED_MS
from qnn.picture import Picture
from qnn.verify import verify
import qnn.dataset
print(draw.boxes, library.find, Picture.open, verify, PUBLISHED_MS, qnn.dataset.read, utils.softmax)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_package_imports_what_is_used():
    code = """
import sys
import qnn
assert not {"numpy", "PIL", "qnn.model", "qnn.predecessor"} & set(sys.modules)
assert set(qnn.__all__) <= set(dir(qnn)) and "model" in dir(qnn)
assert qnn.network.Conv and "qnn.model" not in sys.modules
assert qnn.load is qnn.model.load and "qnn.predecessor" not in sys.modules
for name in qnn.__all__:
    assert getattr(qnn, name).__name__.split(".")[-1] == name
from qnn import *
assert TinierYolo is qnn.TinierYolo
assert not hasattr(qnn, "nothing") and not hasattr(qnn, "commands")
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_what_a_module_never_had_is_missing():
    picture = import_module("qnn.picture")
    with pytest.raises(AttributeError, match="nothing"):
        _ = picture.nothing
