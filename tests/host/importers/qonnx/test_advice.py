# SPDX-License-Identifier: BSD-3-Clause
"""Refusals lead somewhere: what they advise is done, and the network is imported and runs.

A refusal that no case reaches, and for which `advised.without` has no reason, fails here.
"""

import ast
import sys
from pathlib import Path

import pytest

from qnn.errors import NetworkError
from qnn.importers import import_network, qonnx
from qnn.importers.qonnx.graph import Node

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from advised import of_graphs, of_inputs, of_layers, of_values
from advised.without import WITHOUT

from qnn_sim.onnx_reference import compare

SOURCES = Path(qonnx.__file__).parent
ROOMS = (of_inputs, of_layers, of_values, of_graphs)
CASES = [case for room in ROOMS for case in room.CASES]
INPUTS = 2


def refused(case, path: Path) -> NetworkError:
    path.write_bytes(case.model(advised=False).SerializeToString())
    with pytest.raises(NetworkError) as caught:
        import_network("qonnx", path, "net", case.wish)
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.make.__name__)
def test_what_is_advised_works(case, tmp_path):
    path = tmp_path / "model.onnx"
    message = str(refused(case, path))
    assert case.says in message and "\n" not in message
    path.write_bytes(case.model(advised=True).SerializeToString())
    if case.compared and case.advised_wish is None:
        agreement = compare(path, INPUTS, 1)
        assert agreement.refusal is None, agreement.refusal
        assert agreement.good, agreement
    else:
        assert import_network("qonnx", path, "net", case.advised_wish).result is not None


def refusals() -> dict[tuple[str, range], str]:
    """Where the sources refuse, as file and lines, and the words: {} for what is filled in."""
    found = {}
    for path in sorted(SOURCES.glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name not in ("refuse", "NetworkError") or "self.name" in ast.unparse(call.args[0]):
                continue
            lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
            found[path.name, lines] = _words(call.args[0])
    return found


def _words(text: ast.expr) -> str:
    if isinstance(text, ast.Constant):
        return str(text.value)
    assert isinstance(text, ast.JoinedStr), ast.unparse(text)
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "{}" for part in text.values
    )


@pytest.fixture
def reached(tmp_path, monkeypatch):
    """Files and lines where the graphs of the cases are refused."""
    refuse, found = Node.refuse, set()

    def recorded(node, reason):
        caller = sys._getframe(1)
        found.add((Path(caller.f_code.co_filename).name, caller.f_lineno))
        return refuse(node, reason)

    monkeypatch.setattr(Node, "refuse", recorded)
    for case in CASES:
        trace = refused(case, tmp_path / "model.onnx").__traceback__
        while trace is not None:
            last, trace = trace, trace.tb_next
        found.add((Path(last.tb_frame.f_code.co_filename).name, last.tb_lineno))
    return found


def test_no_refusal_is_without_advice(reached):
    forgotten, excused = [], set()
    for (name, lines), words in refusals().items():
        reasons = [one for one in WITHOUT if one in words]
        excused.update(reasons)
        tried = any((name, line) in reached for line in lines)
        assert not (tried and reasons), f"{name}:{lines.start} has a case: {words}"
        if not tried and not reasons:
            forgotten.append(f"{name}:{lines.start} {words}")
    assert not forgotten, "\n".join(forgotten)
    assert excused == set(WITHOUT), set(WITHOUT) - excused


def test_cases_have_names_of_their_own():
    names = [(case.make.__module__, case.make.__name__) for case in CASES]
    assert len(names) == len(set(names)) > 90
