# SPDX-License-Identifier: BSD-3-Clause
"""How many values of a kernel were compared with the golden model, and how many were wrong.

Benches record what they have compared, one line of JSON each, in the folder that the environment
variable AGREEMENT names; without it nothing is recorded. `make verify` adds the lines up.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "agreement.jsonl"


@dataclass(frozen=True)
class Count:
    """What one comparison found.

    Attributes:
        kernel: as the folders of hls_kernels/kernels are called, or the name of a network.
        implementation: "rtl" or "hls".
        configuration: the folding, as in qnn_sim.hls_csim.CONFIGURATIONS.
        values: how many were compared.
        mismatches: how many of them were wrong or missing.
    """

    kernel: str
    implementation: str
    configuration: str
    values: int
    mismatches: int


def record(count: Count) -> None:
    """Add one line; several processes may do so at once."""
    if folder := os.getenv("AGREEMENT"):
        with open(Path(folder) / NAME, "a", buffering=1) as file:
            file.write(json.dumps(asdict(count)) + "\n")


def read(folder: Path) -> list[Count]:
    """All that was recorded in `folder`."""
    path = folder / NAME
    lines = path.read_text().splitlines() if path.exists() else []
    return [Count(**json.loads(line)) for line in lines]
