#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write host/qnn/store/sources/*.tree, the digests of all files that `qnn params fetch` gets.

The digests are computed from local copies of the repositories, each checked out at the commit that
host/qnn/store/sources/__init__.py names. With a clone that has its history the same text comes from

    git ls-tree -r --long COMMIT -- PATH...

CLONES holds the directories qnn-mo-pynq and bnn-pynq (in any case). A copy that holds the large
files too replaces the "-" in the .tree files by their sizes.
"""

import argparse
import sys
from pathlib import Path

from qnn.store.sources import SOURCES, Source, blob_id

# Paths beside the root of each source, files or directories; "LICENSE" is always among them.
PATHS = {
    "dorefanet": (
        "notebooks/imagenet-classes.pkl",
        "qnn/params/binparam-dorefanet",
        "qnn/params/dorefanet-conv0.npy",
        "qnn/params/dorefanet-fc-normalized.npy.bz2",
        "qnn/params/ilsvrc_pp_mean.npy",
    ),
    "tinier-yolo": (
        "qnn/params/binparam-tinier-yolo-nopool",
        "qnn/params/tinier-yolo-conv0-W.npy",
        "qnn/params/tinier-yolo-conv0-bias.npy",
        "qnn/params/tinier-yolo-conv8-W.npy",
        "qnn/params/tinier-yolo-conv8-bias.npy",
    ),
}

# Git blob ids, as the repository publishes them, of files that a copy may lack.
ABSENT = {"qnn/params/dorefanet-fc-normalized.npy.bz2": "0c39c5f15df6c8befc31ed0600bc210320f2235b"}


def tree(source: Source, clones: Path) -> str:
    """The text of the .tree file of a source."""
    name = source.repository.split("/")[1]
    clone = next((d for d in clones.iterdir() if d.name.lower() == name.lower()), None)
    if clone is None:
        sys.exit(f"make_sources: {clones} holds no {name}; clone {source.repository} there")
    lines = {}
    for path in ("LICENSE", source.root, *PATHS.get(source.name, ())):
        top = clone / path
        if not top.exists():
            if path not in ABSENT:
                sys.exit(f"make_sources: {top} is missing; check out {source.commit}")
            lines[path] = f"100644 blob {ABSENT[path]} {'-':>7}\t{path}"
        for file in [top] if top.is_file() else top.rglob("*"):
            if file.is_file():
                inside = file.relative_to(clone).as_posix()
                size, mode = file.stat().st_size, file.stat().st_mode
                kind = "100755" if mode & 0o100 else "100644"
                lines[inside] = f"{kind} blob {blob_id(file)} {size:>7}\t{inside}"
    return "".join(lines[path] + "\n" for path in sorted(lines))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example:\n  python scripts/make_sources.py ~/clones --check",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "clones", type=Path, metavar="CLONES", help="directory with copies of the repositories"
    )
    parser.add_argument("--check", action="store_true", help="compare only; status 1 if different")
    args = parser.parse_args()
    if not args.clones.is_dir():
        parser.error(f"{args.clones} is not a directory")

    differ = False
    for source in SOURCES.values():
        path, text = source.folder / f"{source.name}.tree", tree(source, args.clones)
        if not args.check:
            path.write_text(text, encoding="ascii")
        elif not path.exists() or path.read_text(encoding="ascii") != text:
            differ = True
            print(f"{path} differs from {args.clones}", file=sys.stderr)
    sys.exit(differ)


if __name__ == "__main__":
    main()
