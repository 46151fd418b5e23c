# SPDX-License-Identifier: BSD-3-Clause
"""What the pages say can be done: every command exists and takes those arguments, every link leads
somewhere, every Python example runs."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from qnn.cli import build_parser

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
)
OUTSIDE = set("git cd ssh pip sudo python apt pynq jupyter source dask export pytest".split())

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def commands(page: Path) -> list[list[str]]:
    """The command lines of a page, without comments and variables in front."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    split = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    found = []
    for words in split:
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words:
            found.append(words)
    return found


@pytest.fixture(scope="module")
def targets() -> set[str]:
    """Every target of the Makefile."""
    database = subprocess.run(
        ["make", "-npq", "help"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    return set(re.findall(r"^([a-z][\w%-]*):(?!=)", database, re.M))


def exists(target: str, targets: set[str]) -> bool:
    patterns = [t for t in targets if "%" in t]
    return target in targets or any(
        re.fullmatch(re.escape(t).replace("%", ".+"), target) for t in patterns
    )


def test_there_are_pages():
    assert len(PAGES) >= 6


@pages
def test_commands_exist(page, targets, capsys):
    for words in commands(page):
        name = Path(words[0]).name
        if name == "make":
            for word in words[1:]:
                if "=" not in word and not word.startswith("-"):
                    assert exists(word, targets), f"no target {word}: {shlex.join(words)}"
        elif name == "qnn":
            for stop in ("|", ">", "&&"):
                if stop in words:
                    words = words[: words.index(stop)]
            try:
                build_parser().parse_args(words[1:])
            except SystemExit as end:
                if end.code:
                    pytest.fail(f"{shlex.join(words)}: {capsys.readouterr().err}")
        else:
            assert name in OUTSIDE, f"unknown command: {shlex.join(words)}"
            for word in words[1:]:
                if word.startswith("scripts/"):
                    assert (ROOT / word).exists(), f"no {word}: {shlex.join(words)}"


def headings(page: Path) -> list[str]:
    """As links name them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found]


@pages
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target, heading in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        if not re.match(r"[a-z]+:", target):
            path = page.parent / target if target else page
            assert path.exists(), f"{target} is missing"
            assert not heading or heading in headings(path), f"{target} has no #{heading}"


@pages
def test_python_examples_run(page, tmp_path):
    for number, example in enumerate(blocks(page, "python")):
        if "# not run" in example:
            continue
        script = tmp_path / f"example{number}.py"
        script.write_text(example)
        result = subprocess.run(
            [sys.executable, script],
            cwd=ROOT,
            env={**os.environ, "QNN_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert result.returncode == 0, f"{example}\n{result.stderr}"


def test_every_module_is_on_its_page():
    page = (ROOT / "rtl/README.md").read_text()
    lists = (ROOT / "rtl/files.f", ROOT / "rtl/zynq/files.f")
    files = [name for listed in lists for name in listed.read_text().split()]
    files += [f"xilinx/{path.name}" for path in (ROOT / "rtl/xilinx").glob("*.sv")]
    assert sorted(re.findall(r"\]\((\S+\.sv)\)", page)) == sorted(
        name for name in files if not name.endswith("_pkg.sv")
    )


def test_every_script_is_on_its_page():
    page = (ROOT / "scripts/README.md").read_text()
    assert sorted(re.findall(r"\[(\w+\.py)\]", page)) == sorted(
        path.name for path in (ROOT / "scripts").glob("*.py")
    )


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda p: p.name)
def test_every_script_helps(script):
    needs_torch = re.search(r"^(import|from) torch\b", script.read_text(), re.M)
    if needs_torch and importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed: `make train` and `make example` bring it")
    result = subprocess.run(
        [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "usage:" in result.stdout
    end = result.stdout.rstrip().split("\n\n")[-1]
    assert f"python scripts/{script.name}" in end, "its help does not end with an example"
