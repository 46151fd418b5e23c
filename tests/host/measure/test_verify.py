# SPDX-License-Identifier: BSD-3-Clause
"""Verification compares every value of every tensor, and counts what differs."""

import hashlib

import numpy as np
import pytest

import qnn
from qnn.errors import QnnError
from qnn.importers import import_network
from qnn.measure.verify import Row, verify
from qnn.model import Model
from qnn.predecessor import activation_buffer
from qnn_sim import golden_network


@pytest.fixture
def tiny(tiny_dorefanet) -> Model:
    with Model(import_network("qnn-mo", tiny_dorefanet, "tiny")) as model:
        yield model


class Corrupted:
    """A session that changes values of one layer's output."""

    def __init__(self, session, number, change):
        self._session, self._number, self._change = session, number, change

    def trace(self, codes):
        for number, maps in enumerate(self._session.trace(codes)):
            if number == self._number:
                maps = self._change(maps.copy())
            yield maps

    def close(self):
        self._session.close()


def corrupt(model, number, change):
    model._session = Corrupted(model._session, number, change)


def test_rows(tiny):
    rows = verify(tiny)
    assert [(row.layer, row.shape) for row in rows] == [
        ("input", (54, 54, 6)),
        ("conv1/1", (3, 3, 4)),
        ("conv1/2", (3, 3, 4)),
        ("conv2/3", (1, 1, 40)),
        ("output", (1, 1, 40)),
    ]
    assert all(row.mismatches == 0 for row in rows)
    assert rows == verify(tiny)  # always the same random codes


def test_digests_are_of_uint8_codes_row_column_channel(tiny, tmp_path):
    codes = np.random.default_rng(5).integers(0, 4, (54, 54, 6), np.uint8)
    path = tmp_path / "input.bin"
    path.write_bytes(activation_buffer.pack(codes, 2).tobytes())
    rows = {row.layer: row for row in verify(tiny, path)}
    first, second = tiny.trace(codes[None])
    expected = {
        "input": codes,
        "conv1/1": first[0, :, :, :4],
        "conv1/2": first[0, :, :, 4:],
        "conv2/3": second[0],
        "output": second[0],
    }
    for name, tensor in expected.items():
        text = bytes(int(value) for value in tensor.ravel())
        assert rows[name].sha256 == hashlib.sha256(text).hexdigest()


def test_accumulators_are_digested_as_int32(samples):
    with qnn.load() as model:
        rows = verify(model, samples[0])
        codes = model.first.codes(model.first.tensor(qnn.model.Picture.open(samples[0])))
        (acc,) = model.run(codes[None])
    assert rows[-1] == Row(
        "output", (1, 1, 10), hashlib.sha256(acc.astype("<i4").tobytes()).hexdigest(), 0
    )


@pytest.mark.parametrize("number", [0, 1])
def test_a_change_is_counted_in_its_own_part(tiny, number):
    """The golden model goes on with its own values, so later layers do not hide it."""

    def change(maps):
        maps[0, 0, 0, 0] ^= 1
        maps[0, -1, -1, -1] ^= 1
        return maps

    corrupt(tiny, number, change)
    counts = [row.mismatches for row in verify(tiny)]
    assert counts == ([0, 1, 1, 0, 0] if number == 0 else [0, 0, 0, 2, 2])


def test_all_values_are_compared(tiny):
    corrupt(tiny, 0, lambda maps: maps ^ 1)
    assert [row.mismatches for row in verify(tiny)] == [0, 36, 36, 0, 0]


def test_another_shape_is_an_error(tiny):
    corrupt(tiny, 0, lambda maps: maps[:, :2])
    with pytest.raises(QnnError, match=r"layer conv1.*2x3x4.*3x3x4"):
        verify(tiny)


def test_the_first_stage_is_compared_too(tiny, samples, monkeypatch):
    assert verify(tiny, samples[0])[0].mismatches == 0
    convolution = tiny.first._convolution

    def wrong(tensor):
        codes = convolution(tensor)
        codes[3, 4, 5] ^= 1
        return codes

    monkeypatch.setitem(tiny.first.__dict__, "_convolution", wrong)
    rows = verify(tiny, samples[0])
    assert rows[0].mismatches == 1
    # From there on both run on their own codes.
    assert (
        rows[0].sha256
        != hashlib.sha256(
            golden_network.first_codes(
                tiny.first, tiny.first.tensor(qnn.model.Picture.open(samples[0]))
            ).tobytes()
        ).hexdigest()
    )


def test_inputs_of_every_form(tiny, samples):
    from PIL import Image

    rows = verify(tiny, samples[0])
    assert rows == verify(tiny, str(samples[0]))
    assert rows == verify(tiny, Image.open(samples[0]))
    assert rows == verify(tiny, np.asarray(Image.open(samples[0])))
    assert rows != verify(tiny)


def test_progress(tiny):
    calls = []
    verify(tiny, progress=lambda *arguments: calls.append(arguments))
    assert calls == [(1, 2), (2, 2)]


def test_inputs_that_are_none(tiny, tmp_path):
    with pytest.raises(QnnError, match=r"none\.bin"):
        verify(tiny, tmp_path / "none.bin")
    (tmp_path / "short.bin").write_bytes(bytes(100))
    with pytest.raises(QnnError, match=r"short\.bin: .* 54x54x6 codes of 2 bits; 100 bytes"):
        verify(tiny, tmp_path / "short.bin")
