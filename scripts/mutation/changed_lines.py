# SPDX-License-Identifier: BSD-3-Clause
"""Changes of one line of a source file: other operators, numbers, conditions, a statement less."""

from __future__ import annotations

import ast
import contextlib
import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType


@dataclass(frozen=True)
class Language:
    """How lines are changed.

    Attributes:
        rules: of universalmutator.
        left_alone: what a line that is not changed contains: it computes nothing.
    """

    rules: tuple[str, ...]
    left_alone: tuple[str, ...]


PYTHON = Language(("universal.rules", "python.rules"), (r"^\s*#", r"^\s*(from|import)\s"))
CPP = Language(
    ("universal.rules", "c_like.rules", "cpp.rules"),
    (r"^\s*//", r"^#", r"^\s*template\b", r"^\s*(using|namespace|struct)\b", r"^\s*[{}();]*$"),
)


@dataclass(frozen=True)
class Change:
    """
    Attributes:
        path: of the file, below the root.
        line: its number, from 1.
        was, now: the line with its end; `now` may be several.
    """

    path: str
    line: int
    was: str
    now: str

    def applied(self, text: str) -> str:
        """The file, which was `text`, with the change."""
        lines = text.splitlines(keepends=True)
        lines[self.line - 1] = self.now
        return "".join(lines)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.was.strip()}  ->  {' '.join(self.now.split())}"


def changes(path: str, text: str, language: Language) -> dict[int, list[Change]]:
    """All changes of a file, by line. What a comment says at the end of a line stays."""
    from universalmutator import mutator

    lines = text.splitlines(keepends=True)
    with contextlib.redirect_stdout(io.StringIO()):
        found = mutator.mutants_regexp(
            lines, list(language.rules), ignorePatterns=list(language.left_alone)
        )
    by_line: dict[int, list[Change]] = {}
    for number, now, *_ in found:
        by_line.setdefault(number, []).append(Change(path, number, lines[number - 1], now))
    return by_line


def draw(root: Path, paths: Sequence[str], language: Language, seed: int) -> Iterator[Change]:
    """Changes in random order, of each line one: so a line with many operators counts no more."""
    choice = random.Random(seed)
    lines = [
        of_line
        for path in sorted(paths)
        for of_line in changes(path, (root / path).read_text(), language).values()
    ]
    choice.shuffle(lines)
    return (choice.choice(of_line) for of_line in lines)


def program(text: str) -> tuple[object, ...]:
    """What a Python file computes: its bytecode, without docstrings, annotations and imports.

    Raises:
        SyntaxError: it is no Python.
    """
    compile(text, "", "exec", dont_inherit=True)  # also what only a whole file has wrong
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [each for each in body if not _says_only(each)] or [ast.Pass()]
    return _instructions(compile(ast.fix_missing_locations(tree), "", "exec", dont_inherit=True))


def _says_only(statement: ast.stmt) -> bool:
    """Whether it is a docstring or an import."""
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return text or isinstance(statement, (ast.Import, ast.ImportFrom))


def _instructions(code: CodeType) -> tuple[object, ...]:
    """Without the lines that they are from."""
    constants = (
        _instructions(each) if isinstance(each, CodeType) else (type(each), repr(each))
        for each in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, *constants
