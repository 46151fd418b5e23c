# SPDX-License-Identifier: BSD-3-Clause
"""The whole with real models: results are those of the pictures one by one."""

import threading

import numpy as np
import pytest
from PIL import Image

import qnn
from qnn.errors import QnnError, SourceError
from qnn.live.frame import Frame
from qnn.live.session import watching


class Pictures:
    """A synthetic source: arrays, or paths, and then an end or an error."""

    name = "synthetic"

    def __init__(self, pictures, error=None) -> None:
        self._pictures, self._error = pictures, error

    def frames(self, stop):
        for number, picture in enumerate(self._pictures):
            yield Frame(f"synthetic {number}", picture)
        if self._error is not None:
            raise self._error


def test_classes(samples):
    pixels = [np.asarray(Image.open(path)) for path in samples]
    with qnn.load("fashion-cnv", "cpu") as model:
        expected = [model.classify(one, 2).classes for one in pixels]
        with watching(model, Pictures(pixels), top=2, every=True) as frames:
            seen = list(frames)
        assert frames.came == 10
    assert [one.result.classes for one in seen] == expected
    assert [one.frame.name for one in seen] == [f"synthetic {number}" for number in range(10)]
    assert {one.name for one in threading.enumerate()} & {"feed", "open"} == set()


@pytest.mark.parametrize(("threshold", "count"), [(0.3, 1), (0.99, 0)])
def test_objects(detector, threshold, count):
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[0:32, 64:96] = (255, 0, 0)
    with (
        qnn.load(detector) as model,
        watching(model, Pictures([pixels]), threshold=threshold) as frames,
    ):
        (seen,) = frames
    assert len(seen.result.objects) == count


def test_what_is_said_without_a_word_of_ones_own(samples, capsys):
    pictures = Pictures(["none.png", samples[0]], SourceError("it went away"))
    with (
        qnn.load("fashion-cnv", "cpu") as model,
        watching(model, pictures, every=True, wait_s=0) as frames,
        pytest.raises(QnnError, match="synthetic did not come back within 0 s"),
    ):
        list(frames)
    assert set(capsys.readouterr().err.splitlines()) == {  # by two threads
        "qnn: there is no file none.png: check the path",
        "qnn: it went away; waiting for it, 0 s at most",
    }
