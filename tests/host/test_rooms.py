# SPDX-License-Identifier: BSD-3-Clause
"""The rooms of the package: what imports what, and where a test lies."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "host" / "qnn"

# Each room may import from those above it and from itself.
ROOMS = (
    "qnn.errors",
    "qnn.memory",
    "qnn.overlays",
    "qnn.pictures",
    "qnn.compute",
    "qnn.network",
    "qnn.store",
    "qnn.platforms.protocol",  # what the engine wants of a platform
    "qnn.engine",
    "qnn.importers",
    "qnn.platforms",
    "qnn.backends",
    "qnn.model",
    "qnn.predecessor",
    "qnn.live",
    "qnn.measure",
    "qnn.cluster",
    "qnn.commands",
    "qnn.moved",
    "qnn",
    "qnn.cli",
)
# The simulations are no part of the package: found late, where they are wanted.
TO_SIMULATIONS = {"qnn.backends.golden", "qnn.backends.sim", "qnn.measure.verify"}

pytestmark = pytest.mark.skipif(not PACKAGE.is_dir(), reason="this is not a checkout")


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Modules that a file imports, wherever it does; True where that happens in a function."""
    within = [
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    ]
    late = set(map(id, within))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole in MODULES else str(node.module)), id(node) in late


@cache
def imports_of(name: str) -> list[tuple[str, bool]]:
    """Of one of MODULES."""
    return list(imports(ast.parse(MODULES[name].read_text())))


def room_of(name: str) -> int:
    rooms = [room for room in ROOMS if name == room or name.startswith(f"{room}.")]
    assert rooms != ["qnn"] or name == "qnn", f"{name} lies in no room"
    return ROOMS.index(max(rooms, key=len))


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_circle_of_imports():
    assert not circle({name: {to for to, _ in imports_of(name)} for name in MODULES})
    assert circle({"a": {"b"}, "b": {"a"}})


@pytest.mark.parametrize("name", MODULES)
def test_arrows_go_down(name):
    for to, _ in imports_of(name):
        if to in MODULES:
            assert room_of(to) <= room_of(name), f"{name} imports {to}, which lies above it"


@pytest.mark.parametrize("name", MODULES)
def test_simulations_are_reached_late_and_from_few_places(name):
    for to, late in imports_of(name):
        if to.split(".")[0] == "qnn_sim":
            assert late and name in TO_SIMULATIONS, f"{name} imports {to}"


def test_every_room_says_what_is_inside():
    for path in PACKAGE.rglob("__init__.py"):
        sentence = ast.get_docstring(ast.parse(path.read_text()))
        assert sentence, f"{path} has no docstring"


def test_the_path_of_a_test_is_the_path_of_its_code():
    tests = ROOT / "tests" / "host"
    for path in tests.rglob("test_*.py"):
        code = PACKAGE / path.relative_to(tests).parent / path.name.removeprefix("test_")
        found = code.exists() or code.with_suffix("").is_dir()
        assert found or path in OF_MANY, f"{path} tests no module"


# Tests of what many modules do together.
OF_MANY = {
    Path(__file__),
    ROOT / "tests/host/importers/test_whole_networks.py",
    ROOT / "tests/host/importers/qonnx/test_advice.py",
}
