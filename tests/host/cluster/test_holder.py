# SPDX-License-Identifier: BSD-3-Clause
"""One network is open at a time; a failure is an answer, and the next job goes."""

import numpy as np
import pytest
import random_networks
from PIL import Image

from qnn.backends.cpu import CpuSession
from qnn.cluster.holder import Holder
from qnn.cluster.job import Item, Job, Unreadable, pack
from qnn.engine.capabilities import Capabilities
from qnn.errors import BackendError
from qnn.model import Model
from qnn.store.digest import digest

NETWORKS = [
    random_networks.KINDS[kind](np.random.default_rng(3)) for kind in ("scoring", "connected")
]
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 20, 20, 3), dtype=np.uint8)


@pytest.fixture
def holder():
    found = Holder(NETWORKS, "cpu")
    yield found
    found.close()


def job(network, top=None, items=None):
    items = [pack(str(n), one) for n, one in enumerate(PIXELS)] if items is None else items
    return Job(digest(network), top, tuple(items))


def test_each_network_when_it_is_asked_for(holder):
    for network in (*NETWORKS, NETWORKS[0]):
        reply = holder.work(job(network, 2))
        assert (reply.digest, reply.failure) == (digest(network), None)
        with Model(network, "cpu") as model:
            assert list(reply.outcomes) == [
                type(one)(str(n), one.classes, {})
                for n, one in enumerate(model.classify_all(PIXELS, 2))
            ]
    assert holder.done == 15


def test_a_network_that_it_has_not(holder):
    reply = holder.work(Job("0" * 64, None, ()))
    assert reply.digest == "" and "no network of that digest" in reply.failure


@pytest.mark.parametrize("top", [None, 2])
def test_names_may_come_twice_and_pictures_be_unreadable(holder, tmp_path, top):
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    whole = pack("a.png", str(tmp_path / "a.png"))
    items = [Item("a.png", b"none", None, 0), whole, Item("b", b"", None, 1), whole, whole]
    outcomes = holder.work(job(NETWORKS[0], top, [one._replace(label=1) for one in items])).outcomes
    kinds = [type(one) for one in outcomes]
    assert [one is Unreadable for one in kinds] == [True, False, True, False, False]
    assert outcomes[0].reason.startswith("a.png is not a picture")
    assert outcomes[1].image == "a.png" and outcomes[1] == outcomes[3] == outcomes[4]


@pytest.mark.parametrize("error", [BackendError("it is stuck"), MemoryError()])
def test_a_failure_is_an_answer_and_the_next_job_opens_the_network_again(
    holder, monkeypatch, error
):
    def stuck(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(CpuSession, "stream", stuck)
        failed = holder.work(job(NETWORKS[0]))
    assert failed.outcomes == () and failed.failure in ("it is stuck", "there is not enough memory")
    assert len(holder.work(job(NETWORKS[0])).outcomes) == 5


def test_told_to_end_between_two_pictures(holder):
    holder.stop()
    assert "told to end" in holder.work(job(NETWORKS[0])).failure


def test_what_an_accelerator_has(sim):
    holder = Holder(NETWORKS[:1], "sim", 50.0)
    try:
        about = holder.description
        assert Capabilities(**about["capabilities"]).pe > 0
        assert (about["backend"], about["simulated"], about["clock_mhz"]) == ("sim", True, 50.0)
        assert about["batch"] == 1
        with Model(NETWORKS[0], "cpu") as model:
            expected = [one.classes for one in model.classify_all(PIXELS[:2], 3)]
        reply = holder.work(job(NETWORKS[0], 3, [pack("a", one) for one in PIXELS[:2]]))
        assert [one.classes for one in reply.outcomes] == expected
    finally:
        holder.close()
