# SPDX-License-Identifier: BSD-3-Clause
"""What is installed is what is there, needs what it says, and speaks only of itself."""

import ast
import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qnn.store import library
from qnn.store.sources import SOURCES

ROOT = Path(__file__).parents[2]
LINKS = ROOT / "python"
TREES = {
    "qnn": ROOT / "host" / "qnn",
    "qnn_sim": ROOT / "sim" / "qnn_sim",
    "qnn_params": ROOT / "params",
    "qnn_notebooks": ROOT / "notebooks",
}
PAGES = (".md", ".svg")  # for readers of the repository
BOARD = {"numpy", "PIL"}  # all that the package needs on a board
# Only in a checkout, only on a board, only with the extras qonnx, live and cluster: imported where
# it is used.
LATER = {"qnn_sim", "pynq", "onnx", "google", "av", "distributed"}
OF_PYNQ = "platforms/pynq_ip.py"  # nobody but pynq, and who has imported pynq, imports this

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="this is not a checkout of the project"
)


@pytest.fixture(scope="module")
def project() -> dict:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def package_of(name: str, path: Path) -> str:
    return ".".join((name, *path.relative_to(TREES[name]).parts))


def python_files(name: str) -> list[Path]:
    return [path for path in TREES[name].rglob("*.py") if "__pycache__" not in path.parts]


def test_packages_are_those_of_the_tree(project):
    listed = project["tool"]["setuptools"]["packages"]
    found = {
        package_of(name, path.parent)
        for name in TREES
        for path in python_files(name)
        if path.name == "__init__.py"
    }
    assert sorted(listed) == sorted(found)
    assert project["tool"]["setuptools"]["package-dir"] == {"": LINKS.name}
    assert {path.name: path.resolve() for path in LINKS.iterdir() if path.is_symlink()} == TREES


@pytest.mark.parametrize("name", TREES)
def test_every_module_lies_in_a_package(name):
    for path in python_files(name):
        for folder in path.relative_to(TREES[name]).parents:
            assert (TREES[name] / folder / "__init__.py").exists(), path


@pytest.mark.parametrize("name", TREES)
def test_every_data_file_is_installed(project, name):
    patterns = project["tool"]["setuptools"]["package-data"]
    for path in sorted(TREES[name].rglob("*")):
        if path.is_dir() or path.suffix in (".py", ".pyc", *PAGES):
            continue
        owner = path.parent
        while not (owner / "__init__.py").exists():
            owner = owner.parent
        inside = path.relative_to(owner).as_posix()
        assert any(
            fnmatch.fnmatch(inside, pattern) and inside.count("/") == pattern.count("/")
            for pattern in patterns.get(package_of(name, owner), ())
        ), path


def test_data_files_are_found():
    shipped = library.find(library.DEFAULT)
    assert shipped.name == library.DEFAULT and shipped.picture and shipped.result
    assert (library.shipped_directory().parent / "samples").is_dir()
    for source in SOURCES.values():
        assert len(source.files()) > 50


def imports(path: Path) -> list[tuple[str, bool]]:
    """Top-level names that a file imports; True where that happens as soon as it is imported."""
    found = []

    def visit(node, at_once):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name.split(".")[0], at_once) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path} imports relatively"
                found.append((child.module.split(".")[0], at_once))
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            visit(child, at_once and not function)

    visit(ast.parse(path.read_text(encoding="utf-8")), True)
    return found


def test_the_board_side_needs_numpy_and_pillow_only(project):
    names = {re.split(r"[<>=!~; ]", line)[0] for line in project["project"]["dependencies"]}
    assert names == {"numpy", "pillow"}
    for path in python_files("qnn"):
        for name, at_once in imports(path):
            allowed = name in sys.stdlib_module_names or name in BOARD | {"qnn", "qnn_params"}
            later = name in LATER and not at_once
            theirs = path.as_posix().endswith(OF_PYNQ) and name in ("pynq", "pynqmetadata")
            assert allowed or later or theirs, f"{path} imports {name}"


def evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """All that runs, not what only annotates."""
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield child
                    yield from evaluated(child)


def test_numpy_of_a_board_can_import_it():
    """Images of PYNQ 3 have numpy 1.21, whose types take no [Any]; annotations may have it."""
    for path in [*python_files("qnn"), *python_files("qnn_sim")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        postponed = any(
            isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body
        )
        for node in evaluated(tree) if postponed else ast.walk(tree):
            wrong = isinstance(node, ast.Subscript) and re.match(
                r"np\.(ndarray|number|integer|floating)\[", ast.unparse(node)
            )
            assert not wrong, f"{path}:{node.lineno}: {ast.unparse(node)}"


def run_python(code: str, cwd: Path) -> str:
    """In an empty environment, warnings being errors."""
    result = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", code],
        cwd=cwd,
        env={},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_importing_has_no_side_effects(tmp_path):
    code = """
import os, signal, sys, threading
before = set(sys.modules), dict(os.environ), list(sys.path), os.getcwd()
handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGPIPE)]
import qnn
assert qnn.load and qnn.TinierYolo  # now what stands behind the names is imported, too
assert (dict(os.environ), list(sys.path), os.getcwd()) == before[1:]
assert handlers == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGPIPE)]
assert threading.active_count() == 1
print(*{name.split(".")[0] for name in set(sys.modules) - before[0]})
"""
    names = set(run_python(code, tmp_path).split())
    assert {"qnn", "numpy"} <= names
    assert "qnn_sim" not in names and "qnn_params" not in names
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_same_name_hides_no_package(tmp_path):
    """Such as a clone called qnn, from where it lies."""
    for name in TREES:
        (tmp_path / name).mkdir()
    code = f"import {', '.join(TREES)}, qnn.cli; print(qnn.load, qnn_params.__file__)"
    assert "None" not in run_python(code, tmp_path)


@pytest.mark.parametrize("command", ["models", "--help"])
def test_commands_do_not_load_the_golden_model(command, tmp_path):
    code = f"""
import sys
from qnn.cli import main
try:
    assert main([{command!r}]) == 0
except SystemExit as stop:
    assert stop.code == 0
assert "qnn_sim" not in sys.modules
"""
    assert "qnn" in run_python(code, tmp_path)
    assert list(tmp_path.iterdir()) == []


def project_files() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    command = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    # Hooks set GIT_DIR and its like, which would lead elsewhere.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    listed = subprocess.run(command, capture_output=True, env=clean, check=True).stdout
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_no_file_speaks_of_the_machine_it_was_written_on():
    home = str(Path.home())
    # Written so that this file does not name them.
    words = [rb"(?<![\w.])/" + b"work/", b"/tmp" + rb"/w\b", b"shared" + b"/reference"]
    words += [re.escape(home.encode()) + rb"/"] if home.count("/") > 1 else []
    for path in project_files():
        found = re.search(b"|".join(words), path.read_bytes())
        assert found is None, f"{path} mentions {found[0]!r}"


def test_no_file_names_a_package_index():
    """pip and apt know where their packages come from: from their own configuration."""
    words = [rb"pypi" + rb"\.(org|io)", b"python" + b"hosted", b"/sim" + b"ple/"]
    words += [b"debian" + rb"\.org", b"ubuntu" + rb"\.com"]
    index = re.compile(b"|".join(words))
    for path in project_files():
        found = index.search(path.read_bytes())
        assert found is None, f"{path} mentions {found[0]!r}"


def test_every_source_file_says_its_licence():
    for path in project_files():
        if path.suffix in (".py", ".sv", ".hpp", ".cpp"):
            lines = path.read_text(encoding="utf-8").splitlines()
            line = next((line for line in lines if not line.startswith("#!")), "")
            assert re.fullmatch(r"(#|//) SPDX-License-Identifier: BSD-3-Clause", line), path


def test_nothing_that_was_built_is_kept():
    for path in project_files():
        parts = path.relative_to(ROOT).parts
        assert not {"build", ".venv", "__pycache__"} & set(parts), path
        assert path.suffix not in (".pyc", ".o", ".so", ".vcd", ".bit", ".pt"), path
        assert path.stat().st_size < 1 << 20, path
