# SPDX-License-Identifier: BSD-3-Clause
"""Commit and changes of a clone."""

import re

from qnn_sim.regress import checkout


def test_clean_changed_and_new(repository):
    clean = checkout.state(repository)
    assert re.fullmatch("[0-9a-f]{40}", clean.commit) and not clean.changed
    (repository / "new.txt").write_text("x")
    assert checkout.state(repository) == checkout.State(clean.commit, True)
    (repository / "new.txt").unlink()
    (repository / "pytest.ini").write_text("[pytest]\n# changed\n")
    assert checkout.state(repository).changed


def test_files_are_those_that_git_keeps_or_would_keep(repository):
    before = checkout.files(repository)
    assert "pytest.ini" in before
    (repository / ".gitignore").write_text("ignored.txt\n")
    for name in ("ignored.txt", "new file.txt"):
        (repository / name).write_text("x")
    assert sorted(checkout.files(repository)) == sorted({*before, ".gitignore", "new file.txt"})


def test_no_clone(tmp_path):
    assert checkout.state(tmp_path) == checkout.State("", False)
