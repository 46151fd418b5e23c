# SPDX-License-Identifier: BSD-3-Clause
"""The lists of fetchable files are those that git publishes."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from qnn.store.sources import SOURCES, SourceFile, blob_id

MAKE_SOURCES = Path(__file__).parents[3] / "scripts/make_sources.py"

# Git tree ids of the upstream repository at the commit of the sources.
TREES = {
    ("dorefanet", "qnn/params/binparam-dorefanet"): "8263f827b00e889c3707d8d424d997d6abb2afd7",
    (
        "tinier-yolo",
        "qnn/params/binparam-tinier-yolo-nopool",
    ): "a6d85a1d6a11c15a0f94b75f9a853c67c0da070f",
}

# Path, SHA-256, git blob id and bytes of upstream files.
DIGESTS = """
qnn/params/dorefanet-conv0.npy
  bc33591d1deb8be07c7d7a3a25a921285279964393fadfe45143020a947272aa
  41e75db2b1835e03a92ce76fd73221541b0ff7a0 117882
qnn/params/dorefanet-layers.json
  5ef2874d94b96504b06843fed956edfa83e62f6e13b7e6242a3435e5c2f5711f
  9a6c2a104037e7ccff521779b56c741fedbd6b5d 4719
qnn/params/ilsvrc_pp_mean.npy
  63d536c8f397a1860f0b6dffcb096614b73197c93dafd734335e7747bfc4d296
  de0ba269709c1458ed556520e0dac0ce894e30a3 786512
qnn/params/tinier-yolo-conv0-W.npy
  50fe1edadd416a4314f71a4881359fcf5d300f774cb6af2ee93366779587a0c5
  4a6910f06d6fe1cb4727fe2f8bc9993c3a25713e 1808
qnn/params/tinier-yolo-conv0-bias.npy
  d4f39241e69cb0d5111e4679c3f760ed8763522a8ba70ab453f301b121da88d5
  b9f52af68b820e5bad3771c08e00910b6c6e0dfa 144
qnn/params/tinier-yolo-conv8-W.npy
  f1dfdbf772af4481b090ae5bce24f9013b02f098393a3f113b6eae4524ffe3f9
  00c17b8b1e3c716d09fd199f4aea8c0989de8937 256080
qnn/params/tinier-yolo-conv8-bias.npy
  6bb0c261899188e1a714b3ef3035bc3e4e181c35cfcebbaff0615c7f4c0d1aa8
  6a264af4bc4b8f8c57c101de084027f1c4eb8fc0 580
qnn/params/tinier-yolo-layers.json
  1566239b34fdc29932967980c793a6e6070768d77f80ce47ddc40a80821aa9ac
  fe6965f6c72c6e23fe841aecde615087b4717feb 5348
qnn/params/tinier-yolo-bwn-3bit-relu-nomaxpool.cfg
  71c41737d28bb756675f758412b3de502f359ef09143dd414a6a694d1c60b321
  38fb0d7a9b23cf0d5469c4f603bf3f7ede5dfa68 1434
tests/Test_image/dorefanet/input.bin
  4f83ee53038904ceabe9441a9036cdfa305e34c33d58a465e4d7a7eefe3fcdf0
  0619fcebc46989f108bca23b183a936e3cc5653b 393216
tests/Test_image/dorefanet/verification.bin
  551da750d07e165bf4be31e6b1db1adc3486be7f241c8aee95dc953a189fed8c
  7129462aeabb802b435c4419bed8331ff69d6187 3456
tests/Test_image/tinier-yolo/input.bin
  8bc54f47300ee98e60083fddc8930b46f18d3775289e289667ad31e6bbc4c80c
  ea5e304ef7c42067dbad799e56014cd4e514c1e6 346112
tests/Test_image/tinier-yolo/golden_probs_dog.txt
  6dfc45ef211069f2afa3ff5cbe7d125d5be199a1ff3af79ead8e68384bdc264b
  442511a7cf8aa90441ce338a3d3dec68ebb8a440 31
tests/Test_image/dog.jpg
  5a9522051c3cec2bbd2f6323fccba32e8fbf3ddcc2b3e2fd46b04c720bc6f866
  77b0381222eaed50867643f4166092c781e56d5b 163759
notebooks/imagenet-samples/n01484850_0.jpg
  aced3bc36c56d715e27c5feeca10b187270493d3df7729aa084c179762aa7cad
  6f741b07297dff71d7c796e4fde111f64433f46b 141063
notebooks/imagenet-samples/n07920052_4.jpg
  f815ba16a24ef5b4e2d260071a9cdd6e76dd3d2e2d089caf0bb435bb0a46745c
  684e2096ed03c62131844edd22ac944d5f7b43d6 120730
notebooks/imagenet-classes.pkl
  c16d0952567e651daff7a0b6c39fc5b069651bb58120b5b5f67045476dfaa77b
  2cf477bec8828f3e9cf7c96c3eccc6e94eb6a068 62464
"""


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_list_is_well_formed(source):
    text = (source.folder / f"{source.name}.tree").read_text()
    for line in text.splitlines():
        assert re.fullmatch(r"100(644|755) blob [0-9a-f]{40} +(\d+|-)\t[\w./-]+", line), line
        assert len(line.split("\t")[0]) >= 60  # git pads the size to 7 places
    files = source.files()
    paths = [file.path for file in files]
    assert paths == sorted(set(paths))
    assert not any(".." in PurePosixPath(p).parts or p.startswith("/") for p in paths)
    assert "LICENSE" in paths
    assert any(PurePosixPath(p).is_relative_to(source.root) for p in paths)
    assert set(source.optional) <= set(paths)
    assert {f.path for f in files if f.size is None} == set(source.optional)


def test_names_and_origins():
    assert list(SOURCES) == [
        *("dorefanet", "tinier-yolo", "cnv-w1a1", "cnv-w1a2", "cnv-w2a2", "lfc-w1a1", "lfc-w1a2")
    ]
    for source in SOURCES.values():
        assert re.fullmatch("[0-9a-f]{40}", source.commit)
        assert (source.importer, source.repository) in {
            ("qnn-mo", "Xilinx/QNN-MO-PYNQ"),
            ("bnn-pynq", "Xilinx/BNN-PYNQ"),
        }
    assert {n: len(s.files()) for n, s in SOURCES.items()} == {
        "dorefanet": 518,  # 512 parameter files, 5 others, the licence
        "tinier-yolo": 646,
        "cnv-w1a1": 180,
        "cnv-w1a2": 180,
        "cnv-w2a2": 102,
        "lfc-w1a1": 290,
        "lfc-w1a2": 290,
    }
    assert (
        SourceFile(
            "qnn/params/dorefanet-fc-normalized.npy.bz2",
            "0c39c5f15df6c8befc31ed0600bc210320f2235b",
            None,
        )
        in SOURCES["dorefanet"].files()
    )


@pytest.mark.parametrize(("where", "tree_id"), TREES.items(), ids=[n for n, _ in TREES])
def test_lists_hash_to_the_published_tree(where, tree_id):
    name, directory = where
    source = SOURCES[name]
    tree = b""
    for line in (source.folder / f"{name}.tree").read_text().splitlines():
        facts, path = line.split("\t")
        if path.startswith(directory + "/"):
            mode, _, blob, _ = facts.split()
            tree += f"{mode} {path[len(directory) + 1 :]}\0".encode() + bytes.fromhex(blob)
    assert hashlib.sha1(b"tree %d\0" % len(tree) + tree).hexdigest() == tree_id


def test_blob_id_is_that_of_git(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert blob_id(file) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # git's empty blob
    file.write_bytes(b"hello\n")
    assert blob_id(file) == "ce013625030ba8dba906f756967f9e9ca394464a"
    file.write_bytes(bytes(range(256)) * 8192)  # more than one block
    data = file.read_bytes()
    assert blob_id(file) == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def test_reference_has_the_published_digests(reference):
    listed = {f.path: f for name in ("dorefanet", "tinier-yolo") for f in SOURCES[name].files()}
    words = DIGESTS.split()
    rows = list(zip(*(words[i::4] for i in range(4)), strict=True))
    assert len(rows) == 17
    for path, sha256, blob, size in rows:
        data = (reference / "qnn-mo-pynq" / path).read_bytes()
        assert len(data) == int(size), path
        assert hashlib.sha256(data).hexdigest() == sha256, path
        assert blob_id(reference / "qnn-mo-pynq" / path) == blob, path
        if path in listed:
            assert listed[path] == SourceFile(path, blob, int(size))
    assert sum(row[0] in listed for row in rows) == 9


def test_lists_are_up_to_date_with_the_reference(reference):
    command = [sys.executable, str(MAKE_SOURCES), str(reference), "--check"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_make_sources_shows_an_example():
    run = subprocess.run(
        [sys.executable, str(MAKE_SOURCES), "--help"], capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0
    assert "--check" in run.stdout
    assert "example:" in run.stdout
