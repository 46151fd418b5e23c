# SPDX-License-Identifier: BSD-3-Clause
"""The stages of `qnn bench --stages` that are the host's, without a simulation beside them.

A picture goes once through the simulated accelerator, and what that said and wrote is kept in a
file, with the picture; then the host's stages run as often as one likes, here or where nothing can
be simulated: on 32-bit ARM, emulated, with instructions counted.

    python scripts/bench_host.py build/dorefanet.npz --record --model dorefanet
    python scripts/bench_host.py build/dorefanet.npz --model dorefanet
    sudo .venv/bin/python scripts/armhf.py --count python3 scripts/bench_host.py build/dorefanet.npz
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from qnn.backends import BACKENDS, Settings
from qnn.backends.accelerator import AcceleratorSession
from qnn.errors import QnnError
from qnn.measure.bench import SEED, write_noise
from qnn.measure.effort import Meter
from qnn.measure.random_dorefanet import completed
from qnn.measure.stages import AROUND, PICTURE, Stage, beside_pillow
from qnn.model import Model
from qnn.network import Network
from qnn.platforms.protocol import Platform
from qnn.store import library
from qnn_sim import recording, script
from qnn_sim.platform import SimulatedBoard


class _Backend:
    """An accelerator on one board, as qnn.backends has them."""

    name = "recorded"

    def __init__(self, board: Platform) -> None:
        self._board = board

    def unavailable(self) -> None:
        """It is there."""

    def open(self, network: Network, settings: Settings) -> AcceleratorSession:
        return AcceleratorSession(self._board, network, settings)


def main() -> int:
    parser = script.parser(__doc__)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the recording, an .npz file")
    add("--record", action="store_true", help="make it; else it is there")
    add("--model", default="dorefanet", help="name or directory (dorefanet)")
    add("--picture", type=Path, help="to record; default: a JPEG of noise, 500 x 334")
    add("--repeat", type=int, default=5, help="how often (5)")
    arguments = parser.parse_args()
    network = _network(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture"
        if arguments.record:
            _record(network, _given(arguments.picture, picture), arguments.file)
            return 0
        recorded = recording.load(arguments.file)
        picture.write_bytes(recorded.pop("picture").tobytes())
        meter = Meter()
        with _open(network, recording.RecordedBoard(recorded)) as model:
            stages, share = beside_pillow(meter, model, picture, arguments.repeat)
    of = "instructions" if meter.unit == "instructions" else "CPU time"
    print(f"{'stage':<14}{'times Pillow, ' + of:>26}")
    for stage in stages:
        print(_line(stage))
    print(f"{', '.join(AROUND[:-1])} and {AROUND[-1]} take {share:.1%} of decode")
    return 0


def _network(name: str) -> Network:
    """DoReFa-Net with random layers in place of those that are not installed."""
    network = library.find(name)
    return completed(network) if name == "dorefanet" and network.result is None else network


def _given(named: Path | None, noise: Path) -> Path:
    """The picture that is to be looked at."""
    if named is None:
        write_noise(noise, PICTURE, np.random.default_rng(SEED))
    elif not named.is_file():
        raise QnnError(f"there is no picture {named}")
    return named or noise


def _open(network: Network, board: Platform) -> Model:
    BACKENDS[_Backend.name] = _Backend(board)
    return Model(network, _Backend.name)


def _record(network: Network, picture: Path, file: Path) -> None:
    board = recording.RecordingBoard(SimulatedBoard())
    with _open(network, board) as model:
        beside_pillow(Meter(), model, picture, 1)
    kept = {"picture": np.frombuffer(picture.read_bytes(), np.uint8)}
    recording.save(file, board.recorded() | kept)
    print(f"wrote {file}")


def _line(stage: Stage) -> str:
    return f"{stage.name:<14}{stage.ratio:>26.3f}"


if __name__ == "__main__":
    script.end("bench_host", main)
