# SPDX-License-Identifier: BSD-3-Clause
"""A script ends with a status and at most one sentence, whatever ends it."""

import subprocess
import sys

import pytest

from qnn.errors import QnnError
from qnn_sim import script


def test_the_help_is_the_docstring():
    documentation = "What it does.\n\nMore.\n\n    python a.py\n    python a.py -b\n"
    text = script.parser(documentation).format_help()
    assert "What it does.\n\nMore.\n\noptions:" in text
    assert text.endswith("\n    python a.py\n    python a.py -b\n")


@pytest.mark.parametrize(
    ("problem", "status", "said"),
    [
        (None, 7, ""),
        (QnnError("there is none"), 2, "a: there is none\n"),
        (KeyboardInterrupt(), 130, "a: stopped\n"),
    ],
)
def test_ends(capsys, problem, status, said):
    def work() -> int:
        if problem is not None:
            raise problem
        return 7

    with pytest.raises(SystemExit) as ended:
        script.end("a", work)
    assert ended.value.code == status and capsys.readouterr() == ("", said)


def test_whoever_reads_the_output_may_go():
    program = (
        "from qnn_sim import script\n"
        "script.end('a', lambda: print('line\\n' * 100_000, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "line\n"
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == ("", script.UNREAD)
