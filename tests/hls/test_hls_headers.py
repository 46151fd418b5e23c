# SPDX-License-Identifier: BSD-3-Clause
"""Where ap_int.h comes from, and what is said where it does not."""

import pytest

from qnn.errors import QnnError
from qnn_sim import hls_headers


def test_headers_are_the_vendors_and_streams_are_ours():
    folder = hls_headers.vendor()
    assert (folder / "ap_int.h").exists()
    if folder.is_relative_to(hls_headers.ROOT):
        assert not (folder / "hls_stream.h").exists()
    flags = hls_headers.include_flags()
    assert flags.index(f"-I{hls_headers.HLS / 'csim'}") < flags.index("-isystem")


def test_installed_vitis_is_preferred(monkeypatch, tmp_path):
    monkeypatch.setenv("XILINX_HLS", str(tmp_path))
    with pytest.raises(QnnError, match="XILINX_HLS: there is no"):
        hls_headers.vendor()
    (tmp_path / "include").mkdir()
    (tmp_path / "include/ap_int.h").touch()
    assert hls_headers.vendor() == tmp_path / "include"


def test_another_package_than_the_pinned_one_is_refused(monkeypatch, tmp_path):
    other = tmp_path / "requirements.txt"
    text = hls_headers.REQUIREMENTS.read_text()
    digest = text.strip()[-64:]
    other.write_text(text.replace(digest, "0" * 64))
    monkeypatch.setattr(hls_headers, "REQUIREMENTS", other)
    with pytest.raises(QnnError, match="cannot be downloaded"):
        hls_headers.fetch(tmp_path / "headers")
    assert not (tmp_path / "headers").exists()
