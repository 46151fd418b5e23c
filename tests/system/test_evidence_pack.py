# SPDX-License-Identifier: BSD-3-Clause
"""scripts/evidence.py from end to end, in a small repository in place of this one."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import script_elsewhere

MAKEFILE = """
synth:
	mkdir -p build && cp made.json build/synth.json && touch build/was-run
verify:
	false
"""
SYNTHESIS = {
    "device": {"lut": 10, "ff": 10, "bram36": 10, "dsp": 10},
    "lut": 1, "ff": 1, "bram36": 1, "dsp": 1, "modules": [], "good": True,
}  # fmt: skip


def git(root, *arguments) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments],
        cwd=root, env=clean, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / ".gitignore").write_text("build/\nmade.json\n")
    (root / "Makefile").write_text(MAKEFILE)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "all")
    return root


def run(root, *arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        script_elsewhere.command("evidence", root, *arguments),
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def pack(root) -> Path:
    """With a synthesis of this state of the files."""
    done = run(root)
    assert done.returncode == 1, done.stderr
    folder = root / "build/evidence"
    origin = json.loads((folder / "evidence.json").read_text())["origin"]
    (root / "build/synth.json").write_text(json.dumps(SYNTHESIS | {"origin": origin}))
    assert run(root).returncode == 1
    return folder


def result(folder, name) -> dict:
    document = json.loads((folder / "evidence.json").read_text())
    return next(one for one in document["found"] if one["name"] == name)


def test_a_pack_has_what_there_is_and_names_what_is_not(root):
    folder = pack(root)
    assert result(folder, "synthesis")["state"] == "this state"
    assert result(folder, "synthesis")["good"] is True
    assert result(folder, "proofs")["state"] == "missing"
    origin = json.loads((folder / "evidence.json").read_text())["origin"]
    assert origin["commit"] == git(root, "rev-parse", "HEAD") and not origin["changed"]
    assert "1 of 13 results" in (folder / "evidence.html").read_text()
    for place, sums in ((root, "inputs.sha256"), (folder, "SHA256SUMS")):
        subprocess.run(["sha256sum", "-c", "--quiet", folder / sums], cwd=place, check=True)
    done = run(root, "--check", str(folder))
    assert done.returncode == 0 and "as it was written, of this checkout: 1 of 13" in done.stdout
    (root / "new.txt").write_text("x")
    assert run(root).returncode == 1
    assert result(folder, "synthesis")["state"] == "this commit, other files"


def test_a_change_of_any_file_of_a_pack_shows(root):
    folder = pack(root)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        kept = path.read_bytes()
        path.write_bytes(kept.replace(b"0", b"1", 1))
        assert path.read_bytes() != kept
        done = run(root, "--check", str(folder))
        assert done.returncode in (1, 2), path
        path.write_bytes(kept)
    assert run(root, "--check", str(folder)).returncode == 0


def test_a_forged_pack_shows_even_with_new_digests(root):
    """Whoever makes a result or a verdict better and the digests new, too."""
    folder = pack(root)

    def forged(name, *replaced) -> str:
        path = folder / name
        kept = {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()}
        text = path.read_text()
        assert replaced[0] in text
        path.write_text(text.replace(*replaced, 1))
        sums = subprocess.run(
            "find . -type f ! -name SHA256SUMS -printf '%P\\0' | xargs -0 sha256sum",
            cwd=folder, shell=True, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        (folder / "SHA256SUMS").write_text(sums)
        done = run(root, "--check", str(folder))
        assert done.returncode == 1, done.stderr
        for one, content in kept.items():
            one.write_bytes(content)
        return done.stdout

    said = forged("evidence.json", '"state": "missing"', '"state": "this state"')
    assert "does not say what the results say" in said
    said = forged("evidence.html", "1 of 13 results", "13 of 13 results")
    assert said == "evidence.html does not say what evidence.json and the results say\n"
    assert "does not say what the results say" in forged("results/synthesis.json", "10", "20")
    said = forged("inputs.sha256", "  Makefile", "  Fakefile")
    assert "inputs.sha256 is not of the files" in said and "Fakefile, Makefile" in said


def test_another_checkout_is_not_that_of_the_pack(root):
    folder = pack(root)
    (root / "Makefile").write_text(MAKEFILE + "# another one\n")
    (root / "new.txt").write_text("x")
    done = run(root, "--check", str(folder))
    assert done.returncode == 1
    assert done.stdout == "files of this checkout are not those of the pack: Makefile, new.txt\n"


def test_run_makes_what_is_not_of_this_state(root):
    folder = pack(root)
    (root / "build/synth.json").rename(root / "made.json")
    done = run(root, "--run", "synthesis", "agreement")
    assert done.returncode == 1 and "make synth\n" in done.stdout
    assert "make verify ended with status 2" in done.stderr
    assert result(folder, "synthesis")["state"] == "this state"
    (root / "build/was-run").unlink()
    run(root, "--run", "synthesis")
    assert not (root / "build/was-run").exists()


def test_what_cannot_begin_is_one_sentence(root, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "precious.txt").write_text("x")
    for arguments, words in (
        (("--out", str(full)), "is there already, and no pack"),
        (("--check", str(full)), "is no pack of `make evidence`"),
        (("--check", str(tmp_path / "nothing")), "is no pack of `make evidence`"),
        (("--run", "everything"), "invalid choice"),
    ):
        done = run(root, *arguments)
        assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert (full / "precious.txt").exists()
