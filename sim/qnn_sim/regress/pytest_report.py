# SPDX-License-Identifier: BSD-3-Clause
"""What a run of pytest says of its tests, out of the JUnit file that it has written."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from qnn.errors import FormatError
from qnn_sim.regress.case import FAILED, PASSED, SKIPPED

MESSAGE_LINES = 12  # of a test, at most


@dataclass(frozen=True)
class Test:
    """One test.

    Attributes:
        node: its name for pytest, relative to the root of the repository; of a file that cannot be
            read, the file.
        outcome: PASSED, SKIPPED or FAILED.
        message: why it did not pass, else empty.
    """

    node: str
    outcome: str
    message: str = ""


def read(path: Path) -> list[Test]:
    """The tests of a file, in its order.

    Raises:
        FormatError: pytest was ended before it had written all of it.
    """
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):  # a full disk, say, or no memory left
        raise FormatError(f"{path}: the report of pytest is missing or cut off") from None
    return [_test(case) for case in cases]


def _test(case: ElementTree.Element) -> Test:
    node, skipped = _node(case), None
    for child in case:
        if child.tag in ("failure", "error"):
            lines = (child.text or child.get("message") or "").strip().splitlines()
            errors = [line[1:].strip() for line in lines if line.startswith("E ")]
            return Test(node, FAILED, "\n".join((errors or lines)[:MESSAGE_LINES]))
        if child.tag == "skipped":
            skipped = child.get("message") or "skipped"
    return Test(node, PASSED) if skipped is None else Test(node, SKIPPED, skipped)


def _node(case: ElementTree.Element) -> str:
    """pytest writes a/test_b.py::TestC::test_d[e] as class a.test_b.TestC, name test_d[e]."""
    folders, name = case.get("classname") or "", case.get("name") or ""
    if not folders:  # the file itself, where it cannot be read
        return name.replace(".", "/") + ".py"
    parts = folders.split(".")
    file = next((n for n, part in enumerate(parts, 1) if part.startswith("test_")), len(parts))
    return "::".join(["/".join(parts[:file]) + ".py", *parts[file:], name])
