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


def test_headers_of_another_pin_are_replaced(monkeypatch, tmp_path):
    """And those that are there already are not fetched again."""
    fetched = []

    def fetch(folder):
        fetched.append(pin.read_text())
        folder.mkdir()
        (folder / "ap_int.h").write_text(pin.read_text())

    pin = tmp_path / "requirements.txt"
    monkeypatch.delenv("XILINX_HLS", raising=False)
    monkeypatch.setattr(hls_headers, "ROOT", tmp_path)
    monkeypatch.setattr(hls_headers, "REQUIREMENTS", pin)
    monkeypatch.setattr(hls_headers, "fetch", fetch)
    for text in ("one", "one", "two"):
        pin.write_text(text)
        assert (hls_headers.vendor() / "ap_int.h").read_text() == text
    assert fetched == ["one", "two"]


def test_another_package_than_the_pinned_one_is_refused(monkeypatch, tmp_path):
    other = tmp_path / "requirements.txt"
    text = hls_headers.REQUIREMENTS.read_text()
    digest = text.strip()[-64:]
    other.write_text(text.replace(digest, "0" * 64))
    monkeypatch.setattr(hls_headers, "REQUIREMENTS", other)
    with pytest.raises(QnnError, match="cannot be downloaded"):
        hls_headers.fetch(tmp_path / "headers")
    assert not (tmp_path / "headers").exists()
