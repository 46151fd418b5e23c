# SPDX-License-Identifier: BSD-3-Clause
"""JUnit XML that parses, counts right, and names the command of a failure."""

import xml.etree.ElementTree as ElementTree

from qnn_sim.regress import junit


def test_junit(run, tmp_path):
    run.cases[1]["message"] = "control \x00 \x1b and \ud800 and <angles>"
    junit.write(run, tmp_path / "junit.xml")
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    (failure,) = suite.iter("failure")
    assert failure.get("message").endswith(run.cases[1]["repeat"])
    assert failure.text == "control ? ? and ? and <angles>"
    assert suite[0].get("classname") == "tests.rtl.test_qnn_fifo"
