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


@pytest.fixture
def tiny(tiny_dorefanet) -> Model:
    with Model(import_network("qnn-mo", tiny_dorefanet, "tiny")) as model:
        yield model


class Corrupted:
    """A session that changes values of one layer's output."""

    def __init__(self, session, number, change):
        self._session, self._number, self._change = session, number, change

    def trace(self, given, skip=0):
        for number, maps in enumerate(self._session.trace(given, skip)):
            if number == self._number:
                maps = self._change(maps.copy())
            yield maps

    def close(self):
        self._session.close()


def corrupt(model, number, change):
    model._session = Corrupted(model._session, number, change)


LAYERS = [
    ("input", (224, 224, 3)),
    ("conv0", (54, 54, 6)),
    ("conv1/1", (3, 3, 4)),
    ("conv1/2", (3, 3, 4)),
    ("conv2/3", (1, 1, 40)),
    ("fc0", (1, 1, 24)),
    ("fc1", (1, 1, 16)),
    ("fct", (1, 1, 12)),
    ("output", (1, 1, 12)),
]


@pytest.mark.parametrize("backend", ["cpu", "golden"])
def test_rows(tiny_dorefanet, backend):
    """First and last included, on every backend."""
    with Model(import_network("qnn-mo", tiny_dorefanet, "tiny"), backend) as model:
        rows = verify(model)
        assert [(row.layer, row.shape) for row in rows] == LAYERS
        assert all(row.mismatches == 0 for row in rows)
        assert rows == verify(model)  # always the same random picture


def test_rows_on_the_simulated_accelerator(tiny_dorefanet, sim):
    network = import_network("qnn-mo", tiny_dorefanet, "tiny")
    with Model(network, "sim") as model, Model(network, "cpu") as on_host:
        assert verify(model) == verify(on_host)
        places = ["accelerator", "host", *["accelerator"] * 3, "host"]
        assert [one.where for one in model.places] == places
        assert "strides 1 and 2" in model.places[1].why


def test_digests_are_of_uint8_codes_row_column_channel(tiny, tmp_path):
    codes = np.random.default_rng(5).integers(0, 4, (54, 54, 6), np.uint8)
    path = tmp_path / "input.bin"
    path.write_bytes(activation_buffer.pack(codes, 2).tobytes())
    rows = {row.layer: row for row in verify(tiny, path)}
    first, second, *_ = tiny.trace(codes[None], 1)
    expected = {
        "input": codes,
        "conv1/1": first[0, :, :, :4],
        "conv1/2": first[0, :, :, 4:],
        "conv2/3": second[0],
    }
    for name, tensor in expected.items():
        text = bytes(int(value) for value in tensor.ravel())
        assert rows[name].sha256 == hashlib.sha256(text).hexdigest()
    assert "conv0" not in rows and "fct" in rows


def test_accumulators_are_digested_as_int32(samples):
    with qnn.load() as model:
        rows = verify(model, samples[0])
        (acc,) = model.run(model.tensor(samples[0])[None])
    assert rows[-1] == Row(
        "output", (1, 1, 10), hashlib.sha256(acc.astype("<i4").tobytes()).hexdigest(), 0
    )


def test_floats_are_digested_as_float64(tiny, samples):
    rows = verify(tiny, samples[0])
    (floats,) = tiny.run(tiny.tensor(samples[0])[None])
    assert rows[-1].sha256 == hashlib.sha256(floats.astype("<f8").tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("number", "wrong"),
    [(0, {1: 2}), (1, {2: 1, 3: 1}), (2, {4: 2}), (3, {5: 2})],
    ids=["conv0", "conv1", "conv2", "fc0"],
)
def test_a_change_is_counted_in_its_own_part(tiny, number, wrong):
    """The golden model goes on with its own codes, so later layers do not hide it."""

    def change(maps):
        maps[0, 0, 0, 0] ^= 1
        maps[0, -1, -1, -1] ^= 1
        return maps

    corrupt(tiny, number, change)
    assert [row.mismatches for row in verify(tiny)] == [wrong.get(n, 0) for n in range(9)]


@pytest.mark.parametrize("change", [1e-9, -1e-9, np.inf, np.nan])
@pytest.mark.parametrize(("number", "wrong"), [(4, {6: 1}), (5, {7: 1, 8: 1})], ids=["fc1", "fct"])
def test_a_change_of_floats_is_counted_in_its_own_layer(tiny, number, wrong, change):
    def changed(maps):
        maps[0, 0, 0, 3] += change
        return maps

    corrupt(tiny, number, changed)
    with np.errstate(invalid="ignore"):
        assert [row.mismatches for row in verify(tiny)] == [wrong.get(n, 0) for n in range(9)]


def test_all_values_are_compared(tiny):
    corrupt(tiny, 1, lambda maps: maps ^ 1)
    assert [row.mismatches for row in verify(tiny)] == [0, 0, 36, 36, 0, 0, 0, 0, 0]


def test_another_shape_is_an_error(tiny):
    corrupt(tiny, 1, lambda maps: maps[:, :2])
    with pytest.raises(QnnError, match=r"layer conv1.*2x3x4.*3x3x4"):
        verify(tiny)


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
    assert calls == [(done, 6) for done in range(1, 7)]


def test_inputs_that_are_none(tiny, tmp_path):
    with pytest.raises(QnnError, match=r"none\.bin"):
        verify(tiny, tmp_path / "none.bin")
    (tmp_path / "short.bin").write_bytes(bytes(100))
    with pytest.raises(QnnError, match=r"short\.bin: .* 54x54x6 codes of 2 bits; 100 bytes"):
        verify(tiny, tmp_path / "short.bin")
