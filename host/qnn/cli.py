# SPDX-License-Identifier: BSD-3-Clause
"""The command `qnn`: one module of qnn.commands for each verb."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from qnn.commands import bench, classify, detect, evaluate, models, params, run
from qnn.commands import verify as verify_command
from qnn.errors import QnnError

COMMANDS = (classify, detect, run, models, params, evaluate, verify_command, bench)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; each command sets `run`."""
    parser = argparse.ArgumentParser(
        prog="qnn",
        description="Low-bit neural networks on small Zynq boards, their simulation, or a CPU.",
        epilog="example: qnn classify picture.jpg --model fashion-cnv",
    )
    parser.add_argument("--version", action="version", version=f"qnn {version('qnn')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0; 1 where a check found a difference, or only a part could be done; 2 after an error,
        with one sentence on standard error; 130 after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names need not be in the terminal's code
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = build_parser().parse_args(arguments)
        status = args.run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
        return int(status or 0)
    except QnnError as error:
        print(f"qnn: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("qnn: there is not enough memory: end other programs or give less", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _drop_output()  # the reader has gone (`| head`)
        return 0
    except OSError as error:
        _drop_output()
        name = f"{error.filename}: " if error.filename else ""
        print(f"qnn: {name}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("qnn: interrupted", file=sys.stderr)
        return 130


def _drop_output() -> None:
    """What is left in the buffer of standard output has nowhere to go."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
