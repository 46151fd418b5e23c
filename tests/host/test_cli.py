# SPDX-License-Identifier: BSD-3-Clause
"""The frame of the command line: help, exit statuses, standard streams, signals."""

import argparse
import contextlib
import io
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qnn import cli as cli_module
from qnn.cli import build_parser, main
from qnn.errors import PictureError
from qnn.pictures import dataset

SCRIPT = Path(sys.executable).with_name("qnn")
LONG = "x" * 300  # longer than a file name may be


def command_parsers(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()):
    """Each command and sub-command, as the words that call it, and its parser."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from command_parsers(below, (*words, name))


COMMANDS = dict(command_parsers(build_parser()))


def run_script(*arguments, **options) -> subprocess.CompletedProcess:
    """The installed script, as a user calls it."""
    assert SCRIPT.is_file(), f"{SCRIPT} is not installed"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 120} | options
    return subprocess.run([SCRIPT, *map(str, arguments)], **options)


def assert_one_sentence(stderr: bytes) -> None:
    lines = stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("qnn: "), stderr.decode()


def test_the_commands():
    assert {" ".join(words) for words in COMMANDS} == {
        "",
        "classify",
        "detect",
        "models",
        "params",
        "params fetch",
        "params import",
        "run",
        "params info",
        "params remove",
        "eval",
        "verify",
        "watch",
        "bench",
        "doctor",
        "worker",
    }


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_an_example_that_parses(words, cli):
    result = cli(*words, "--help")
    assert result.status == 0
    assert result.err == ""
    assert result.out.startswith(f"usage: {' '.join(['qnn', *words])} ")
    _, example = result.out.split("example:")
    called = shlex.split(example)
    assert called[: 1 + len(words)] == ["qnn", *words]
    assert callable(build_parser().parse_args(called[1:]).run)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_everything_in_a_help_text_is_explained(words):
    for action in COMMANDS[words]._actions:
        if isinstance(action, argparse._SubParsersAction):
            assert all(choice.help for choice in action._choices_actions)
        else:
            assert action.help, action


def test_help_of_detect_explains_the_scale_of_the_last_layer(cli):
    text = " ".join(cli("detect", "--help").out.split())
    for part in ("--feature-scale {published,dequantized}", "4/7", "published results"):
        assert part in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["params"],
        ["classify"],
        ["nothing"],
        ["models", "--nothing"],
        ["params", "import", "bnn-pynq", "."],  # no name
        ["classify", "a.png", "--top", "0"],
        ["classify", "a.png", "--top", "-1"],
        ["classify", "a.png", "--top", "many"],
        ["detect", "a.png", "--threshold", "1.5"],
        ["detect", "a.png", "--threshold", "nan"],
        ["detect", "a.png", "--feature-scale", "other"],
        ["bench", "--repeat", "0"],
        ["watch", "--frames", "0"],
        ["watch", "--wait", "-1"],
        ["watch", "--wait", "soon"],
        ["watch", "--serve", "http"],
        ["watch", "--serve", "65536"],
        ["watch", "--serve", "-1"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments, cli):
    result = cli(*arguments)
    assert result.status == 2
    assert result.out == ""
    assert result.err.startswith("usage: qnn")
    assert "error: " in result.err.splitlines()[-1]


def test_version(cli):
    result = cli("--version")
    assert (result.status, result.err) == (0, "")
    assert result.out.split()[0] == "qnn"


class Command:
    """A command whose run does what a test wants."""

    def __init__(self, run):
        self.run = run

    def add_parser(self, commands):
        commands.add_parser("try").set_defaults(run=self.run)


@pytest.fixture
def trial(monkeypatch):
    """trial(run) makes that the run of the only command, `try`."""

    def enter(run):
        monkeypatch.setitem(sys.modules, "trial", Command(run))
        monkeypatch.setattr(cli_module, "COMMANDS", {"try": "trial"})

    return enter


def raising(error):
    def run(_):
        raise error

    return run


@pytest.mark.parametrize(
    ("run", "status", "message"),
    [
        (lambda _: None, 0, ""),
        (lambda _: 0, 0, ""),
        (lambda _: 1, 1, ""),
        (raising(PictureError("it is upside down")), 2, "qnn: it is upside down\n"),
        (raising(KeyboardInterrupt()), 130, "qnn: interrupted\n"),
    ],
)
def test_exit_status(run, status, message, trial, capsys):
    trial(run)
    assert main(["try"]) == status
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError("strange")])
def test_what_no_command_foresaw_of_the_system_is_one_sentence_too(error, trial, cli):
    trial(raising(error))
    assert (error.strerror or str(error)) in cli.refused("try")


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify", LONG],
        ["classify", "a.png", "--model", LONG],
        ["classify", "a.png", "--model", f"./{LONG}"],
        ["eval", LONG],
        ["verify", "--input", LONG],
        ["watch", "--model", "fashion-cnv", "--source", LONG],
        ["params", "info", LONG],
        ["params", "remove", LONG],
        ["params", "import", "bnn-pynq", LONG, "--name", "a"],
        ["params", "import", "bnn-pynq", ".", "--name", LONG],
    ],
    ids=lambda arguments: " ".join(arguments).replace(LONG, "LONG"),
)
def test_names_that_no_file_can_have(arguments, cli):
    cli.refused(*arguments)


IMPORTED = """
import sys
from qnn.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as stop:
    status = stop.code
assert not status, status
print(*sorted(sys.modules), file=sys.stderr)
"""
# What only some commands use.
WEIGHTY = {
    "numpy", "PIL.Image", "PIL.ImageDraw", "importlib.metadata", "urllib.request", "qnn.model",
    "qnn.importers", "qnn.measure.bench", "qnn.pictures.draw", "qnn.predecessor",
    "qnn.backends.accelerator", "qnn.store.fetch", "qnn.live.watch", "av", "http.server",
    "concurrent.futures.thread", "asyncio", "ssl", "distributed", "qnn.cluster.connection",
    "qnn.measure.evaluate", "qnn.measure.stages", "qnn.measure.verify", "qnn_sim",
}  # fmt: skip
MODEL = {"numpy", "PIL.Image", "qnn.model"}
THREAD = {"concurrent.futures.thread"}
WORKER = THREAD | {"asyncio", "ssl", "importlib.metadata", "qnn.cluster.connection"}


@pytest.mark.parametrize(
    ("arguments", "used"),
    [
        (["--version"], {"importlib.metadata"}),
        (["classify", "PICTURE"], {"numpy", "PIL.Image", "qnn.model"}),
        (
            ["classify", "PICTURE", "--save", "TARGET"],
            {"numpy", "PIL.Image", "PIL.ImageDraw", "qnn.model", "qnn.pictures.draw"},
        ),
        (["classify", "PICTURE", "PICTURE", "--backend", "cpu"], MODEL | THREAD),
        (["models"], {"numpy", "PIL.Image"}),
        (["params", "info", "fashion-cnv"], {"numpy", "PIL.Image", "qnn.importers"}),
        (
            ["watch", "--model", "fashion-cnv", "--source", "FOLDER", "--frames", "1"],
            {"numpy", "PIL.Image", "qnn.model", "qnn.live.watch"},
        ),
        (["run", "--help"], MODEL),
        (["detect", "--help"], MODEL | {"qnn.pictures.draw", "PIL.ImageDraw"}),
        (["verify", "--help"], MODEL | {"qnn.measure.verify", "qnn.predecessor"}),
        (["eval", "--help"], MODEL | THREAD | {"qnn.measure.evaluate"}),
        (["bench", "--help"], MODEL | {"qnn.measure.bench", "qnn.measure.stages"}),
        (["worker", "--help"], MODEL | WORKER | {"qnn.measure.evaluate"}),
    ],
)
def test_what_a_command_does_not_use_is_not_imported(arguments, used, samples, tmp_path):
    files = {"PICTURE": samples[0], "TARGET": tmp_path / "sheet.png", "FOLDER": samples[0].parent}
    command = [sys.executable, "-c", IMPORTED, *(str(files.get(one, one)) for one in arguments)]
    environment = {"QNN_HOME": str(tmp_path / "home")}
    result = subprocess.run(command, capture_output=True, timeout=600, env=environment, text=True)
    assert result.returncode == 0, result.stderr
    assert WEIGHTY & set(result.stderr.split()) == used


def test_the_script(tmp_path):
    environment = {"QNN_HOME": str(tmp_path / "home")}
    usage = run_script(env=environment)
    assert (usage.returncode, usage.stdout) == (2, b"")
    models = run_script("models", "--json", env=environment)
    assert (models.returncode, models.stderr) == (0, b"")
    names = {entry["name"] for entry in json.loads(models.stdout)["models"]}
    assert {"fashion-cnv", "dorefanet", "tinier-yolo"} <= names
    wrong = run_script("classify", tmp_path / "none.png", env=environment)
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert_one_sentence(wrong.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["models"], ["--help"], ["params", "info", "fashion-cnv"]])
def test_a_reader_that_has_gone(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        result = run_script(*arguments, stdout=pipe)
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_help_text_is_written_out_before_the_end(monkeypatch):
    """Where the reader has gone it is only then that somebody says so."""

    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    assert main(["--help"]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_standard_output():
    with open("/dev/full", "wb") as full:
        result = run_script("models", stdout=full)
    assert result.returncode == 2
    assert_one_sentence(result.stderr)


def test_closed_standard_output():
    result = subprocess.run(
        ["sh", "-c", '"$0" models >&-', SCRIPT], stderr=subprocess.PIPE, timeout=600
    )
    assert b"Traceback" not in result.stderr, result.stderr.decode()


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_a_file_name_that_is_not_utf8(arguments, tmp_path, samples):
    path = os.path.join(os.fsencode(tmp_path), b"\xff.png")
    try:
        Path(os.fsdecode(path)).write_bytes(samples[0].read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    result = subprocess.run(
        [SCRIPT, "classify", path, *arguments],
        capture_output=True,
        timeout=600,
        env={"PYTHONIOENCODING": "utf-8:strict", "QNN_HOME": str(tmp_path / "home")},
    )
    assert b"Traceback" not in result.stderr, result.stderr.decode()
    assert result.returncode in (0, 2)


def test_ctrl_c_in_a_terminal(tmp_path, interruptible):
    """The progress bar is drawn in a terminal; Ctrl-C ends it, and what was counted is told."""
    rng = np.random.default_rng(0)
    pictures = tmp_path / "random.npz"
    np.savez(pictures, images=rng.integers(0, 256, (20000, 28, 28), np.uint8), labels=[1] * 20000)
    assert len(dataset.read(pictures).labels) == 20000
    control, terminal = pty.openpty()
    process = subprocess.Popen([SCRIPT, "eval", pictures], stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    seen = b""
    with process, os.fdopen(control, "rb", buffering=0) as screen:
        # Where the script has ended, reading from its terminal gives nothing, or an error on Linux.
        with contextlib.suppress(OSError):
            while b"/20000 pictures" not in seen and (data := screen.read(1000)):
                seen += data
            process.send_signal(signal.SIGINT)
            while data := screen.read(1000):
                seen += data
        out, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    bar, last = seen.decode().rsplit("\r\x1b[K", 1)
    assert "evaluating fashion-cnv [" in bar
    count = re.fullmatch(r"qnn: interrupted: evaluated (\d+) of 20000 pictures\r\n", last)
    assert 0 < int(count[1]) < 20000
    (line,) = (line for line in out.decode().splitlines() if line.startswith("all "))
    assert line.split()[2] == count[1]
