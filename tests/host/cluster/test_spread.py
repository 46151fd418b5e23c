# SPDX-License-Identifier: BSD-3-Clause
"""Whoever looks at the pictures, and whatever becomes of him: the answers of one machine, in its
order, each once."""

import threading

import numpy as np
import pytest
import random_networks

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
from local_cluster import LocalCluster, local_cluster

from qnn.cluster import spread as spreading
from qnn.cluster.holder import Holder
from qnn.cluster.job import Item, Reply, Unreadable, pack
from qnn.cluster.members import Cluster
from qnn.cluster.spread import spread
from qnn.errors import BackendError, QnnError
from qnn.measure.evaluate import Entry, answers
from qnn.model import Model

COUNT = 50


@pytest.fixture
def cluster(tmp_path):
    with local_cluster(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def network():
    return random_networks.KINDS["scoring"](np.random.default_rng(3))


@pytest.fixture(scope="module")
def entries(network):
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (COUNT, 20, 20, 3), dtype=np.uint8)
    labels = rng.integers(0, len(network.classes), COUNT)
    return [Entry(f"p{n}", image, int(labels[n])) for n, image in enumerate(images)]


@pytest.fixture(scope="module")
def expected(network, entries):
    """What one machine says of them."""
    with Model(network, "cpu") as model:
        return [answer for batch in answers(model, entries) for answer in batch]


def found(cluster: LocalCluster, network, entries, tell=pytest.fail, top=None):
    """All outcomes, in the order in which they come, and the workers of the run."""
    items = (one if isinstance(one, Unreadable) else pack(*one) for one in entries)
    with Cluster(cluster.address, network, tell) as members:
        batches = list(spread(members, items, len(entries), top))
        return [outcome for batch in batches for outcome in batch], members.workers


class Watched(Holder):
    """Calls `before` with each job, and lets it answer in the place of the network."""

    def __init__(self, network, before):
        self._before = before
        super().__init__([network], "cpu")

    def work(self, job):
        return self._before(self, job) or super().work(job)


def test_two_workers_say_what_one_machine_says(cluster, network, entries, expected):
    for _ in range(2):
        cluster.add(Holder([network], "cpu"))
    outcomes, workers = found(cluster, network, entries)
    assert outcomes == expected
    assert sum(one.pictures for one in workers.values()) == COUNT
    assert all(one.pictures for one in workers.values()) and len(workers) == 2


def test_the_order_is_that_of_the_pictures(cluster, network, entries, expected):
    """The first job is answered when the other worker has all but those of its worker."""
    rest, done = threading.Event(), []

    def before(holder, job):
        if job.items[0].name == "p0":
            assert rest.wait(60)
            return
        done.append(job.items[0].name)
        if len(done) == -(-COUNT // (COUNT // (2 * spreading.SHARE))) - spreading.AHEAD:
            rest.set()

    for _ in range(2):
        cluster.add(Watched(network, before))
    outcomes, _ = found(cluster, network, entries)
    assert rest.is_set() and outcomes == expected


def test_unreadable_pictures_keep_their_places(cluster, network, entries, expected):
    cluster.add(Holder([network], "cpu"))
    given, wanted = list(entries), list(expected)
    for place in (0, 7, 30, COUNT + 3):
        bad = Unreadable(f"bad{place}", "nobody can read it")
        given.insert(place, bad)
        wanted.insert(place, bad)
    given[20] = Entry("torn", given[20].source.ravel(), 0)  # found out only by the worker
    outcomes, _ = found(cluster, network, given)
    assert [type(one) for one in outcomes].count(Unreadable) == 5
    torn = outcomes.pop(20)
    assert torn.name == "torn" and "is no picture" in torn.reason
    assert outcomes == wanted[:20] + wanted[21:]
    only = [Unreadable("a", "b")] * 3
    assert found(cluster, network, only)[0] == only


@pytest.mark.parametrize("how", ["lost", "fails", "raises", "says less", "another network"])
def test_a_worker_that_does_not_do_its_job(cluster, network, entries, expected, how):
    """Its pictures are looked at by others, once each."""
    told = []

    def bad(holder, job):
        (address,) = (key for key, one in cluster.holders.items() if one is holder)
        if how == "lost":
            threading.Thread(target=cluster.lose, args=(address,)).start()
            holder._stopped.wait(60)
        if how == "raises":
            raise ZeroDivisionError("by nothing")
        if how == "says less":
            return Reply(job.digest, ())
        if how == "another network":
            return Reply("0" * 64, tuple(expected[: len(job.items)]))
        return Reply(job.digest, failure="the accelerator is stuck")

    first = cluster.add(Watched(network, bad))
    cluster.add(Holder([network], "cpu"))
    outcomes, workers = found(cluster, network, entries, told.append)
    assert outcomes == expected
    assert workers[first].pictures == 0
    assert told == ([f"worker {first} has failed: it was lost; others go on"] * (how == "lost"))


def test_a_job_runs_again_three_times_at_most(cluster, network, entries):
    tries = []

    def bad(holder, job):
        tries.append(job.items[0].name)
        return Reply(job.digest, failure="the accelerator is stuck")

    cluster.add(Watched(network, bad))
    with pytest.raises(BackendError, match=r"p0 on were tried 4 times .*: the accelerator is stu"):
        found(cluster, network, entries)
    assert tries.count("p0") == 4 and max(map(tries.count, tries)) == 4


def test_a_worker_that_takes_too_long(cluster, network, entries, expected, monkeypatch):
    monkeypatch.setattr(spreading, "JOB_S", 2)
    told, over = [], threading.Event()
    first = cluster.add(Watched(network, lambda *_: over.wait(60) and None))
    cluster.add(Holder([network], "cpu"))
    try:
        assert found(cluster, network, entries, told.append)[0] == expected
    finally:
        over.set()
    assert told == [f"worker {first} has failed: it took more than 2 s; others go on"]


def test_workers_that_come_later_and_the_last_one_that_goes(
    cluster, network, entries, expected, monkeypatch
):
    monkeypatch.setattr(spreading, "NOBODY_S", 30)
    told = []

    def leave(holder, job):
        (address,) = (key for key, one in cluster.holders.items() if one is holder)

        def replaced():
            cluster.lose(address)
            cluster.add(Holder([network], "cpu"))

        threading.Thread(target=replaced).start()
        holder._stopped.wait(60)

    cluster.add(Watched(network, leave))
    assert found(cluster, network, entries, told.append)[0] == expected
    assert len(told) == 1


def test_nobody_is_left(cluster, network, entries, monkeypatch):
    monkeypatch.setattr(spreading, "NOBODY_S", 1)

    def leave(holder, job):
        (address,) = (key for key, one in cluster.holders.items() if one is holder)
        threading.Thread(target=cluster.lose, args=(address,)).start()
        holder._stopped.wait(60)

    told = []
    only = cluster.add(Watched(network, leave))
    with pytest.raises(QnnError, match="no worker is left at tcp://127"):
        found(cluster, network, entries, told.append)
    assert told == [f"worker {only} has failed: it was lost"]


def test_the_scheduler_goes(cluster, network, entries):
    def leave(holder, job):
        threading.Thread(target=cluster.close_scheduler).start()
        holder._stopped.wait(5)

    cluster.add(Watched(network, leave))
    with pytest.raises(QnnError, match=r"the scheduler at tcp://127.* has gone"):
        found(cluster, network, entries, lambda _: None)


def test_pictures_are_taken_as_there_is_room(cluster, network, entries):
    """What is not sent yet is not read yet: two jobs a worker are under way."""
    begun, go, taken = threading.Event(), threading.Event(), []

    def wait(holder, job):
        begun.set()
        assert go.wait(60)

    def items():
        for entry in entries:
            taken.append(entry.name)
            yield pack(*entry)

    cluster.add(Watched(network, wait))
    with Cluster(cluster.address, network, pytest.fail) as members:
        batches = spread(members, items(), COUNT)
        reader = threading.Thread(target=next, args=(batches,))
        reader.start()
        assert begun.wait(60)
        assert len(taken) <= 2 * (COUNT // spreading.SHARE)
        go.set()
        reader.join(60)
        batches.close()
    assert len(taken) < COUNT


def test_a_job_holds_so_many_bytes(cluster, network, monkeypatch):
    monkeypatch.setattr(spreading, "JOB_BYTES", 3000)
    jobs = []
    cluster.add(Watched(network, lambda _, job: jobs.append(len(job.items))))
    pictures = [Item(f"p{n}", bytes(1200), (20, 20, 3), 0) for n in range(64)]
    with Cluster(cluster.address, network, pytest.fail) as members:
        assert sum(map(len, spread(members, iter(pictures), 64))) == 64
    assert max(jobs) == 3 and sum(jobs) == 64
