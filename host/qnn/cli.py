# SPDX-License-Identifier: BSD-3-Clause
"""The command `qnn`: one module of qnn.commands for each verb."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from qnn.errors import QnnError

# Each verb and its module, which is imported only where the verb is called.
COMMANDS = {
    "classify": "qnn.commands.classify",
    "detect": "qnn.commands.detect",
    "watch": "qnn.commands.watch",
    "run": "qnn.commands.run",
    "models": "qnn.commands.models",
    "params": "qnn.commands.params",
    "eval": "qnn.commands.evaluate",
    "verify": "qnn.commands.verify",
    "bench": "qnn.commands.bench",
    "doctor": "qnn.commands.doctor",
    "worker": "qnn.commands.worker",
}


class _Version(argparse.Action):
    """Looks for the version only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"qnn {version('qnn')}")
        parser.exit()


def build_parser(verbs: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of the command line; each command sets `run`.

    Args:
        verbs: the commands that it has to know, of COMMANDS.
    """
    parser = argparse.ArgumentParser(
        prog="qnn",
        description="Low-bit neural networks on small Zynq boards, their simulation, or a CPU.",
        epilog="example: qnn classify picture.jpg --model fashion-cnv",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for verb in verbs:
        import_module(COMMANDS[verb]).add_parser(commands)
    return parser


def _verbs(given: Sequence[str]) -> Iterable[str]:
    """The commands that the parser of such arguments has to know."""
    if given and given[0] in COMMANDS:
        return given[:1]
    return () if given[:1] == ["--version"] else COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0; 1 where a check found a difference, or only a part could be done; 2 after an error,
        with one sentence on standard error; 130 after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names need not be in the terminal's code
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        given = sys.argv[1:] if arguments is None else arguments
        try:
            args = build_parser(_verbs(given)).parse_args(given)
        except SystemExit:  # behind a help text, which not every Python writes out by itself
            _write_out()
            raise
        status = args.run(args)
        _write_out()
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


def _write_out() -> None:
    """What is left in the buffer of standard output."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_output() -> None:
    """What is left in the buffer of standard output has nowhere to go."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
