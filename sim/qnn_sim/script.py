# SPDX-License-Identifier: BSD-3-Clause
"""How the scripts of the project read their options and end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from qnn.errors import QnnError

STOPPED = 130  # exit status after Ctrl-C, as shells have it
UNREAD = 141  # where nobody reads what is printed any more, as behind `| head`


def parser(documentation: str) -> argparse.ArgumentParser:
    """Of a module's docstring, which ends with examples, indented by four."""
    description, _, example = documentation.partition("\n\n    ")
    return argparse.ArgumentParser(
        description=description,
        epilog="    " + example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def end(name: str, work: Callable[[], int]) -> None:
    """Ends the process with the status that `work` returns; 2 and a sentence for a QnnError,
    STOPPED after Ctrl-C, UNREAD without a word."""
    try:
        status = work()
        sys.stdout.flush()
        sys.exit(status)
    except QnnError as problem:
        print(f"{name}: {problem}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is flushed at the end
        sys.exit(UNREAD)
