# SPDX-License-Identifier: BSD-3-Clause
"""A regression as JUnit XML, which every CI server reads."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from qnn_sim import outputs
from qnn_sim.regress.case import FAILED, GOOD, SKIPPED
from qnn_sim.regress.run import Run

# XML has no way to write these.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(run: Run, path: Path, whole: bool = True) -> None:
    """One test case for each case; its message names the command that repeats it."""
    suite = ElementTree.Element(
        "testsuite",
        name="regress",
        timestamp=run.started,
        time=f"{run.seconds:.2f}",
        tests=str(len(run.cases)),
        failures=str(sum(case["outcome"] == FAILED for case in run.cases)),
        errors=str(sum(case["outcome"] not in (*GOOD, FAILED) for case in run.cases)),
        skipped=str(len(run.skipped)),
    )
    for case in run.cases:
        file, _, name = case["name"].partition("::")
        test = ElementTree.SubElement(
            suite,
            "testcase",
            classname=file.removesuffix(".py").replace("/", "."),
            name=f"{name} seed {case['seed']}",
            time=f"{case['seconds']:.2f}",
        )
        if case["outcome"] == SKIPPED:
            ElementTree.SubElement(test, "skipped", message=NOT_XML.sub("?", case["message"]))
        elif case["outcome"] not in GOOD:
            tag = "failure" if case["outcome"] == FAILED else "error"
            child = ElementTree.SubElement(
                test, tag, message=f"{case['outcome']}: {case['repeat']}"
            )
            child.text = NOT_XML.sub("?", case["message"])
    ElementTree.indent(suite)
    with outputs.writing(path, whole) as part:
        ElementTree.ElementTree(suite).write(part, encoding="utf-8", xml_declaration=True)
