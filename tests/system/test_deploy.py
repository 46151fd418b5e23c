# SPDX-License-Identifier: BSD-3-Clause
"""`make deploy` with stand-ins for ssh and scp that record how they were called."""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from overlay_files import write_overlay

import deploy as script
from qnn_sim import boards

ROOT = Path(__file__).parents[2]
HOST = "xilinx@192.168.2.99"
STAND_IN = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=log)
name = os.path.basename(sys.argv[0]) + " -t" * ("-t" in sys.argv)
sys.exit(json.load(open({answers!r})).get(name, 0))
"""


@pytest.fixture
def deploy(monkeypatch, tmp_path):
    """The script, with a build folder of its own and a wheel that is made at once."""

    def make_wheel(bitstream: Path, out: Path) -> Path:
        out.mkdir(parents=True, exist_ok=True)
        wheel = out / "qnn-9.9-py3-none-any.whl"
        wheel.write_bytes(bitstream.read_bytes())
        return wheel

    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "make_wheel", make_wheel)
    return script


@pytest.fixture
def network(monkeypatch, tmp_path):
    """network({"ssh -t": 1}) says how the stand-ins end; calls() is how they were called."""
    folder, log, answers = tmp_path / "bin", tmp_path / "calls", tmp_path / "answers"
    folder.mkdir()
    log.touch()
    for name in ("ssh", "scp"):
        text = STAND_IN.format(python=sys.executable, log=str(log), answers=str(answers))
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    class Network:
        def __call__(self, status: dict[str, int]) -> None:
            answers.write_text(json.dumps(status))

        def calls(self) -> list[list[str]]:
            return [json.loads(text) for text in log.read_text().splitlines()]

    network = Network()
    network({})
    return network


def bitstream_of(tmp_path: Path) -> Path:
    return write_overlay(tmp_path / "build" / "pynq-z1")


def without_options(call: list[str]) -> list[str]:
    words = iter(call)
    return [word for word in words if word != "-o" or not next(words)]


def test_what_reaches_the_board(deploy, network, tmp_path, capsys):
    bitstream_of(tmp_path)
    assert deploy.main(["pynq-z1", HOST]) == 0
    out = tmp_path / "build/deploy/pynq-z1"
    assert [without_options(call) for call in network.calls()] == [
        ["ssh", HOST, "mkdir -p qnn-deploy"],
        ["scp", f"{out}/qnn-9.9-py3-none-any.whl", f"{out}/install.sh", f"{HOST}:qnn-deploy/"],
        ["ssh", "-t", HOST, "sudo sh qnn-deploy/install.sh"],
    ]
    assert all("ConnectTimeout=10" in call for call in network.calls())
    first, *steps = (out / "install.sh").read_text().splitlines()
    venv = "/usr/local/share/pynq-venv/bin"
    assert first == "set -e" and [shlex.split(step)[:4] for step in steps] == [
        [f"{venv}/python", "-m", "pip", "install"],
        [f"{venv}/pynq", "get-notebooks", "qnn", "--force"],
        [f"{venv}/python", "-c", deploy.CHECK],
    ]
    install = shlex.split(steps[0])
    assert {"--no-index", "--no-deps"} <= set(install)  # a board may have no Internet
    assert install[-1] == "qnn-deploy/qnn-9.9-py3-none-any.whl"
    assert shlex.split(steps[1])[-2:] == ["--path", "/home/xilinx/jupyter_notebooks"]
    assert HOST in capsys.readouterr().out


def test_a_board_without_pynq(deploy, network, tmp_path, capsys):
    bitstream_of(tmp_path)
    assert deploy.main(["pynq-z1", HOST, "--system", "debian"]) == 0
    assert without_options(network.calls()[-1]) == [
        "ssh", "-t", HOST, "sudo sh qnn-deploy/install.sh",
    ]  # fmt: skip
    assert "sudo qnn runs it" in capsys.readouterr().out
    text = (tmp_path / "build/deploy/pynq-z1/install.sh").read_text()
    assert "pynq" not in text and "notebooks" not in text


@pytest.fixture
def board_without_pynq(deploy, tmp_path):
    """installs() runs the script on a board whose commands say how they were called."""
    folder, root = tmp_path / "bin", tmp_path / "opt"
    (root / "bin").mkdir(parents=True)
    folder.mkdir()
    log = tmp_path / "calls"
    log.touch()

    def installs(**status: int) -> tuple[int, str, list[str]]:
        for path in (folder / "python3", folder / "ln", root / "bin/python", root / "bin/qnn"):
            code = status.get(path.name, 0)
            path.write_text(f'#!/bin/sh\necho "{path.name} $*" >> {log}\nexit {code}\n')
            path.chmod(0o755)
        script = deploy.install_script_debian("qnn-9.9-py3-none-any.whl", f"{root}/bin/python")
        result = subprocess.run(
            ["/bin/sh", "-c", script], env={"PATH": str(folder)}, capture_output=True, text=True
        )
        return result.returncode, result.stdout, log.read_text().splitlines()

    return installs


def test_what_is_installed_without_pynq(board_without_pynq, tmp_path):
    status, out, calls = board_without_pynq(qnn=1)  # doctor finds something: it is installed
    assert (status, out) == (0, "")
    assert calls[0] == "python3 -c import numpy, PIL, ensurepip"
    assert calls[1] == f"python3 -m venv --system-site-packages {tmp_path}/opt"
    assert calls[2].startswith("python -m pip install") and "--no-index --no-deps" in calls[2]
    assert calls[2].endswith("qnn-deploy/qnn-9.9-py3-none-any.whl")
    assert calls[3] == f"ln -sf {tmp_path}/opt/bin/qnn /usr/local/bin/qnn"
    assert calls[4:] == ["qnn doctor"]


def test_packages_that_a_board_lacks(board_without_pynq):
    status, out, calls = board_without_pynq(python3=1)
    assert status == 1 and len(calls) == 1
    assert out == (
        "this board lacks packages: apt install python3-venv python3-numpy python3-pil\n"
    )


@pytest.mark.parametrize(
    ("text", "dry"), [("", 0), ("0", 0), ("no", 0), ("false", 0), ("1", 1), ("yes", 1)]
)
def test_dry_run_of_the_environment(deploy, network, monkeypatch, tmp_path, text, dry):
    bitstream_of(tmp_path)
    monkeypatch.setenv("DRY_RUN", text)
    assert deploy.main(["pynq-z1", HOST]) == 0
    assert bool(network.calls()) == (not dry)


def test_a_dry_run_prints_and_does_nothing(deploy, network, tmp_path, capsys):
    assert deploy.main(["pynq-z1", HOST, "--dry-run", "--python", "/opt/my python"]) == 0
    out = capsys.readouterr().out
    for words in ("pip wheel", "scp", f"{HOST}:qnn-deploy/", "'/opt/my python' -m pip", "set -e"):
        assert words in out
    assert network.calls() == [] and not (tmp_path / "build").exists()


@pytest.mark.parametrize("board", boards.names())
def test_every_board_is_named_with_its_image(deploy, network, board, capsys):
    assert deploy.main([board, HOST, "--dry-run"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    facts = boards.load(board)
    assert first == f"{facts['title']}: {facts['image']} must run on it"
    assert any(f"build/deploy/{board}/qnn.whl" in line for line in rest)
    zynq_7000 = board.startswith("pynq-z")
    assert facts["image"] == ("PYNQ 3.0.1 to 3.1" if zynq_7000 else "PYNQ 4.0")
    assert deploy.main([board, HOST, "--dry-run", "--system", "debian"]) == 0
    said = "Debian or Ubuntu, armhf, must" if zynq_7000 else "Debian or Ubuntu, arm64, must"
    assert capsys.readouterr().out.startswith(f"{facts['title']}: {said}")


def test_no_such_board(deploy, network, capsys):
    assert deploy.main(["pynq-z9", HOST]) == 2
    assert "there is no board 'pynq-z9'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "sentence", "calls"),
    [
        ({"ssh": 255}, "the board cannot be reached", 1),
        ({"ssh": 1}, "nothing can be written", 1),
        ({"scp": 255}, "the board cannot be reached", 2),
        ({"scp": 1}, f"copying to {HOST} failed", 2),
        ({"ssh -t": 1}, f"the installation on {HOST} failed", 3),
    ],
)
def test_a_board_that_does_not_do_it(deploy, network, tmp_path, capsys, status, sentence, calls):
    bitstream_of(tmp_path)
    network(status)
    assert deploy.main(["pynq-z1", HOST]) == 2
    error = capsys.readouterr().err
    assert error.startswith("deploy: ") and sentence in error and error.count("\n") == 1
    assert len(network.calls()) == calls


def test_no_bitstream(deploy, network, capsys):
    assert deploy.main(["pynq-z2", HOST]) == 2
    assert "make bitstream BOARD=pynq-z2" in capsys.readouterr().err
    assert network.calls() == []


def test_a_bitstream_of_another_version(deploy, network, tmp_path, capsys):
    write_overlay(tmp_path / "build" / "pynq-z1", vlnv="qnn:qnn:qnn_engine:99.0")
    assert deploy.main(["pynq-z1", HOST]) == 2
    assert "version 99.0" in capsys.readouterr().err
    assert network.calls() == []


@pytest.mark.parametrize("host", ["", "-oProxyCommand=touch x"])
def test_no_host(deploy, network, capsys, host):
    assert deploy.main(["pynq-z1", "--", host]) == 2
    assert "HOST=xilinx@" in capsys.readouterr().err
    assert network.calls() == []


def test_no_ssh(deploy, tmp_path, capsys, monkeypatch):
    bitstream_of(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert deploy.main(["pynq-z1", HOST]) == 2
    assert "no command 'ssh'" in capsys.readouterr().err


def control_paths(calls: list[list[str]]) -> set[str]:
    return {
        word.removeprefix("ControlPath=")
        for call in calls
        for word in call
        if word.startswith("ControlPath=")
    }


# Of so many characters, and what ssh would take for its own: words, and values it knows.
@pytest.mark.parametrize("name", ["d", 55, 74, 75, 200, "a b", "100%C", "${HOME}", '"q"'])
def test_the_socket_of_ssh_is_short(deploy, network, tmp_path, monkeypatch, name):
    bitstream_of(tmp_path)
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        text = name if isinstance(name, str) else "x" * (name - len(short) - 1)
        folder = Path(short, text)
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        assert deploy.main(["pynq-z1", HOST]) == 0
        (path,) = control_paths(network.calls())
        assert Path(path).parents[1] == (folder if name in ("d", 55, 74) else Path("/tmp"))
        assert re.fullmatch(r"[\w/.-]+", path)
        Path(path).parent.mkdir()
        with socket.socket(socket.AF_UNIX) as made:  # as ssh makes it, under a name of its own
            made.bind(path + ".0123456789abcdef")
        shutil.rmtree(Path(path).parent)


def test_without_a_place_for_a_socket_each_command_asks(deploy, network, tmp_path, monkeypatch):
    bitstream_of(tmp_path)
    monkeypatch.setattr(deploy, "socket_folder", lambda: None)
    assert deploy.main(["pynq-z1", HOST]) == 0
    assert len(network.calls()) == 3 and not control_paths(network.calls())


def test_the_wheel_is_made_without_internet(tmp_path, monkeypatch):
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    wheel = script.make_wheel(write_overlay(tmp_path / "board"), tmp_path / "out")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"qnn/overlays/qnn/qnn.bit", "qnn_sim/golden.py", "qnn_params/__init__.py"} <= {*names}
    assert "qnn/store/sources/dorefanet.tree" in names


def test_what_a_wheel_is_made_of(deploy, tmp_path, monkeypatch):
    """The tree that is staged has the overlay where pynq looks for it, and no caches."""
    monkeypatch.setattr(deploy, "ROOT", ROOT)
    bitstream = write_overlay(tmp_path / "board")
    source = tmp_path / "source"
    source.mkdir()
    deploy.stage(bitstream, source)
    overlay = source / "python/qnn/overlays/qnn"
    assert (overlay / "qnn.bit").read_bytes() == bitstream.read_bytes()
    assert (overlay / "qnn.hwh").is_file()
    assert (source / "python/qnn_notebooks/__init__.py").is_file()
    assert not list(source.rglob("__pycache__"))
