# SPDX-License-Identifier: BSD-3-Clause
"""Who may look at pictures: a worker that has the very network, of the same version."""

import dataclasses

import numpy as np
import pytest
import random_networks

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
from local_cluster import local_cluster

from qnn.cluster.holder import Holder
from qnn.cluster.members import Cluster
from qnn.errors import QnnError


def network(name="net", divisor=1):
    made = random_networks.KINDS["scoring"](np.random.default_rng(3))
    result = dataclasses.replace(made.result, divisor=made.result.divisor * divisor)
    return dataclasses.replace(made, name=name, result=result)


@pytest.fixture
def cluster(tmp_path):
    with local_cluster(tmp_path) as found:
        yield found


def test_those_who_may_not_are_named(cluster):
    """Another network of that name, none of it, another version, no worker of qnn."""
    other = Holder([network("other")], "cpu")
    other.description["qnn"] = "9.9"
    reasons = {
        cluster.add(Holder([network(divisor=2)], "cpu")): "has another net: digest ",
        cluster.add(Holder([network("some", 2)], "cpu")): "has no net, but some",
        cluster.add(other): "runs qnn 9.9, this program ",
        cluster.add_stranger(): "is none of `qnn worker`",
    }
    told = []
    with pytest.raises(QnnError) as refusal:
        Cluster(cluster.address, network(), told.append)
    assert str(refusal.value).startswith(f"no worker of {cluster.address} can take net: tcp://")
    assert str(refusal.value).endswith("; and 1 more") and told == []
    good = cluster.add(Holder([network("some", 2), network("another")], "cpu"))
    with Cluster(cluster.address, network(), told.append) as members:
        assert list(members.workers) == [good]
        members.look()
        assert [one.address for one in members.look()] == [good]
    assert len(told) == 4
    for address, reason in reasons.items():
        (sentence,) = (one for one in told if address in one)
        assert sentence.startswith(f"worker {address} is left out: it {reason}")


def test_what_a_worker_says_it_has(cluster):
    address = cluster.add(Holder([network(), network("some", 2)], "cpu"))
    with Cluster(cluster.address, network(), pytest.fail) as members:
        about = members.workers[address].about
        digests = about["networks"]
        assert digests["net"] == members.digest != digests["some"]
        assert (about["backend"], about["capabilities"], about["simulated"]) == ("cpu", None, False)
        assert "Linux" in about["platform"] and about["batch"] == members.workers[address].batch
        for name in ("qnn", "python", "numpy", "pillow"):
            assert about[name]
