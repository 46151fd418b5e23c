# SPDX-License-Identifier: BSD-3-Clause
"""Digests of a checkout."""

import hashlib

import pytest

from qnn.errors import QnnError
from qnn_sim.regress import checkout, inputs


def test_digests_are_those_of_sha256sum(repository):
    (repository / "new.txt").write_bytes(b"some\r\nbytes")
    (repository / "link").symlink_to("elsewhere")
    found = inputs.digests(repository)
    assert set(found) == set(checkout.files(repository)) >= {"new.txt", "link", "pytest.ini"}
    assert found["new.txt"] == hashlib.sha256(b"some\r\nbytes").hexdigest()
    assert found["link"] == hashlib.sha256(b"elsewhere").hexdigest()
    (repository / "pytest.ini").unlink()
    assert set(found) - set(inputs.digests(repository)) == {"pytest.ini"}


def test_the_tree_is_another_one_with_every_change(repository):
    def tree() -> str:
        return inputs.origin(repository).tree

    first = inputs.origin(repository)
    assert first == inputs.origin(repository) and not first.changed
    seen = {first.tree}
    (repository / "new.txt").write_text("x")
    seen.add(tree())
    (repository / "new.txt").write_text("y")
    seen.add(tree())
    (repository / "new.txt").rename(repository / "old.txt")
    seen.add(tree())
    assert len(seen) == 4 and inputs.origin(repository).changed
    (repository / "old.txt").unlink()
    assert inputs.origin(repository) == first


def test_without_git_there_are_none(tmp_path):
    with pytest.raises(QnnError, match="no digests of the files of"):
        inputs.digests(tmp_path)
