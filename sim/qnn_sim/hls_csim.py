# SPDX-License-Identifier: BSD-3-Clause
"""The HLS kernels, compiled by g++ into a shared library and called from Python.

Each configuration is compiled once, under build/hls. Needs g++ and the packages of the extra `dev`.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from qnn.engine.capabilities import Capabilities
from qnn.engine.program import Program
from qnn.errors import QnnError
from qnn_sim import outputs, rtl_build, run_options
from qnn_sim.hls_headers import HLS, REQUIREMENTS, ROOT, include_flags

CONFIGURATIONS: dict[str, dict[str, int]] = {
    "pynq-z1": rtl_build.CONFIGURATIONS["pynq-z1"],
    "small": rtl_build.CONFIGURATIONS["small"],
    "8x4": {**rtl_build.CONFIGURATIONS["small"], "Pe": 8, "Pixels": 4},
    "narrow": {"Simd": 16, "Pe": 8, "Pixels": 3, "WeightWords": 512, "WindowWords": 512},
    "wide": {"Simd": 32, "Pe": 64, "Pixels": 1, "ThresholdWords": 255},
}
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
# The vendor's sign extension shifts negative numbers to the left, which is defined since C++20.
SANITIZERS = ("-std=c++20", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def sources() -> list[Path]:
    """All that the library is compiled from, without the vendor's headers."""
    return sorted(p for p in HLS.rglob("*") if p.suffix in (".cpp", ".hpp", ".h"))


def _folding(configuration: str) -> dict[str, int]:
    """The parameters of a configuration, by their names in lower case: weight_words."""
    found = CONFIGURATIONS[configuration].items()
    return {re.sub("(?<!^)(?=[A-Z])", "_", name).lower(): value for name, value in found}


def defines(configuration: str) -> list[str]:
    """The folding of a configuration as options of the compiler, for kernels/folding.hpp."""
    return [f"-DQNN_{name.upper()}={value}" for name, value in _folding(configuration).items()]


def capabilities(configuration: str) -> Capabilities:
    """What compile_layers must know of a configuration."""
    names = _folding(configuration)
    names.pop("simd", None)  # the format of the parameters is that of 64 lanes for all
    return Capabilities(**names)


def sanitizer_environment() -> dict[str, str]:
    """What a process needs in its environment to load libraries with SANITIZE=1."""
    runtime = subprocess.run(
        ["g++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    return {
        "SANITIZE": "1",
        "LD_PRELOAD": runtime.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own
    }


def build(configuration: str = "pynq-z1") -> Path:
    """Compile one configuration, unless it is there already; the shared library.

    With SANITIZE=1 in the environment it finds bad accesses and undefined behaviour, and ends the
    process there; only a process with sanitizer_environment() can load it.

    Raises:
        QnnError: there is no compiler, or it fails; the message names the log.
    """
    from filelock import FileLock

    if shutil.which("g++") is None:
        raise QnnError("g++ is not installed; the C simulation of the HLS kernels needs it")
    if not HLS.exists():
        raise QnnError("the HLS kernels are not there; use a checkout of the project")
    options = SANITIZERS if run_options.sanitize() else ("-O2",)
    flags = ["g++", "-fPIC", "-shared", *include_flags(), *WARNINGS, *options]
    flags += defines(configuration)
    digest = hashlib.sha256(repr(flags).encode())
    for path in [*sources(), REQUIREMENTS]:
        digest.update(path.read_bytes())
    folder = outputs.make_folder(ROOT / "build" / "hls")
    library = folder / f"csim-{configuration}-{digest.hexdigest()[:12]}.so"
    with FileLock(f"{library}.lock"):
        if not library.exists():
            part, log = library.with_suffix(".part"), library.with_suffix(".log")
            command = [*flags, str(HLS / "csim" / "csim.cpp"), "-o", str(part)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            log.write_text(done.stdout + done.stderr)
            if done.returncode:
                raise QnnError(f"the HLS kernels do not compile: see {log}")
            part.rename(library)
    return library


@cache
def _load(library: Path) -> ctypes.CDLL:
    lib = ctypes.CDLL(str(library))
    handle, u32, u64, i64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64
    words = ctypes.POINTER(u64)
    for name, result, arguments in (
        ("hls_message", ctypes.c_char_p, []),
        ("hls_result", words, []),
        ("hls_kernel", i64, [ctypes.c_char_p, words, u64]),
        ("hls_memory_new", handle, [u64]),
        ("hls_memory_free", None, [handle]),
        ("hls_engine", i64, [handle, u32, u32]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def run_kernel(
    name: str, frame: NDArray[np.uint64], configuration: str = "small"
) -> NDArray[np.uint64]:
    """One frame of 64-bit words through a stream kernel; the frame that comes out.

    Raises:
        QnnError: the kernel reads more than the frame has, or leaves some of it.
    """
    lib = _load(build(configuration))
    frame = np.ascontiguousarray(frame, dtype=np.uint64)
    pointer = frame.ctypes.data_as(ctypes.POINTER(ctypes.c_uint64))
    count = lib.hls_kernel(name.encode(), pointer, len(frame))
    if count < 0:
        raise QnnError(f"kernel {name}: {lib.hls_message().decode()}")
    return np.ctypeslib.as_array(lib.hls_result(), (count,)).copy() if count else frame[:0]


class HlsEngine:
    """The multi-layer kernel with its memory; `with HlsEngine(...) as engine:`.

    Attributes:
        memory: all of it, uint8, from address 0 on. What was never written takes no memory here.
        capabilities: for compile_layers.
    """

    def __init__(self, configuration: str = "pynq-z1", memory_bytes: int = 1 << 23) -> None:
        self._lib = _load(build(configuration))
        self._handle = self._lib.hls_memory_new(memory_bytes // 8)
        if not self._handle:
            raise MemoryError(f"{memory_bytes} bytes for the memory of the C simulation")
        pointer = ctypes.cast(self._handle, ctypes.POINTER(ctypes.c_uint8))
        self.memory: NDArray[np.uint8] = np.ctypeslib.as_array(pointer, (memory_bytes,))
        self.capabilities = capabilities(configuration)

    def __enter__(self) -> HlsEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lib.hls_memory_free(self._handle)

    def load(self, program: Program) -> None:
        """Command list and parameters into memory."""
        self._place(program.base, program.image)

    def get(self, program: Program, layer: int = -1) -> NDArray[np.integer]:
        """Codes or accumulators that a layer has written."""
        out, place = program.maps[layer], program.places[layer]
        return out.unpack(self.memory[place : place + out.size].tobytes())

    def _place(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = np.frombuffer(data, dtype=np.uint8)

    def run(self, program: Program, codes: NDArray[np.integer]) -> None:
        """One whole run of a loaded program.

        Raises:
            QnnError: a command is refused, or a stream is empty too early or not at the end.
        """
        self._place(program.input_address, program.tight.pack(codes).tobytes())
        done = self._lib.hls_engine(self._handle, program.base, program.commands)
        if done < 0:
            raise QnnError(f"engine: {self._lib.hls_message().decode()}")
        if done != program.commands:
            raise QnnError(f"engine: command {done} is refused")
