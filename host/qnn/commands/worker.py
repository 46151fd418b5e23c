# SPDX-License-Identifier: BSD-3-Clause
"""qnn worker: this machine looks at pictures for others."""

from __future__ import annotations

import argparse

from qnn.cluster import worker
from qnn.cluster.holder import Holder
from qnn.commands import options
from qnn.store import library


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "worker",
        "Look at pictures for `qnn eval --cluster` and `qnn classify --cluster`. Owns the "
        "accelerator of this machine until it is ended. For networks that you trust: whoever "
        "reaches the scheduler can run programs here. Needs the extra `cluster`.",
        "qnn worker --cluster tcp://scheduler:8786 --model fashion-cnv",
    )
    parser.add_argument(
        "--cluster", metavar="URL", required=True, help="the Dask scheduler, tcp://host:8786"
    )
    parser.add_argument(
        "--model",
        metavar="M",
        action="append",
        help="a name from `qnn models`, or a directory; may come several times, and the first is "
        f"opened at once (default: {library.DEFAULT})",
    )
    options.add_backend(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    networks = [library.find(name) for name in args.model or [library.DEFAULT]]
    worker.serve(
        args.cluster, lambda: Holder(networks, args.backend, args.clock_mhz, args.first), _tell
    )


def _tell(address: str, holder: Holder) -> None:
    about = holder.description
    networks = ", ".join(f"{name} {key[:12]}" for name, key in about["networks"].items())
    print(
        f"worker {address}: {about['backend']} on {about['platform']}, Python {about['python']}, "
        f"numpy {about['numpy']}, pillow {about['pillow']}\nnetworks: {networks}",
        flush=True,
    )
    if about["capabilities"] is not None:
        found = ", ".join(f"{name} {value}" for name, value in about["capabilities"].items())
        print(f"accelerator: {about['clock_mhz']:g} MHz, {found}", flush=True)
