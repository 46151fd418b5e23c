# SPDX-License-Identifier: BSD-3-Clause
"""`qnn watch --serve` in a real browser: a folder fills; one client leaves, one stops reading."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed")

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
QNN = Path(sys.executable).with_name("qnn")
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def browser():
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed: apt install chromium-headless-shell")
    with playwright.sync_playwright() as runner:
        # Its sandbox does not let root in, as in a container.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        one = runner.chromium.launch(executable_path=found, args=arguments)
        yield one
        one.close()


class Watching:
    """`qnn watch --serve` of a folder.

    Attributes:
        url: of its page.
        process: it.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        arguments = ["--model", "fashion-cnv", "--backend", "cpu", "--source", folder, "--every"]
        self.process = subprocess.Popen(
            [QNN, "watch", *arguments, "--serve", "0", "--json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={"QNN_HOME": str(home)},
        )
        self.url = re.search(r"http://\S+", self.process.stderr.readline())[0]

    def give(self, picture: Path, name: str) -> None:
        """A picture comes into the folder, at once whole."""
        partial = self.folder / f".{name}"
        shutil.copy(picture, partial)
        partial.rename(self.folder / name)


@pytest.fixture
def watching(tmp_path, interruptible):
    (tmp_path / "folder").mkdir()
    one = Watching(tmp_path / "folder", tmp_path / "home")
    yield one
    one.process.kill()
    one.process.communicate()


@pytest.fixture
def open_page(browser, watching):
    """open_page() is the page of `watching`, and the addresses that it asks for."""

    def start():
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        asked, mistakes = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: mistakes.append(error))
        page.goto(watching.url, wait_until="domcontentloaded")
        return page, asked, mistakes

    return start


def wait_for(page, holds: str, given=None) -> None:
    """Waits until a function of the page says so; asked from here, as its policy allows no eval."""
    end = time.monotonic() + PATIENCE_MS / 1e3
    while not page.evaluate(holds, given):
        assert time.monotonic() < end, page.inner_text("body")
        page.wait_for_timeout(50)


def shows(page, words: str) -> None:
    """Waits until the page names the class, and has its picture."""
    wait_for(
        page,
        "words => document.getElementById('found').textContent.includes(words)"
        " && document.getElementById('frame').naturalWidth > 0",
        words,
    )


def says(page, words: str) -> None:
    """Waits until the line of its state says so."""
    wait_for(page, "words => document.getElementById('state').textContent.includes(words)", words)


SAMPLES = Path(__file__).parents[2] / "params" / "samples"


def test_two_look_one_leaves_and_one_stops_reading(watching, open_page, tmp_path):
    (one, asked, mistakes), (other, _, _) = open_page(), open_page()
    says(one, "waiting for a frame")
    port = int(watching.url.rstrip("/").rsplit(":", 1)[1])
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 60)) as stopped:
        stopped.sendall(b"GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n")  # and reads nothing
        watching.give(SAMPLES / "bag.png", "1.png")
        shows(one, "% Bag")
        shows(other, "% Bag")
        first = tmp_path / "first.png"
        one.locator("#frame").screenshot(path=first)
        other.close()
        watching.give(SAMPLES / "trouser.png", "2.png")
        shows(one, "% Trouser")
        second, end = tmp_path / "second.png", time.monotonic() + PATIENCE_MS / 1e3
        while True:  # the picture comes by another way than the words
            one.locator("#frame").screenshot(path=second)
            if Image.open(first).tobytes() != Image.open(second).tobytes():
                break
            assert time.monotonic() < end
    assert "frame 2, 0 dropped" in one.inner_text("#pace")
    assert {"decode", "offload"} <= set(re.findall("[a-z]+", one.inner_text("#times")))
    assert all(url.startswith(watching.url) for url in asked if not url.startswith("data:"))
    assert {url.removeprefix(watching.url).split("?")[0] for url in asked} >= {
        "", "page.js", "page.css", "status", "stream",
    }  # fmt: skip
    assert mistakes == []

    watching.process.send_signal(signal.SIGINT)
    _, said = watching.process.communicate(timeout=600)
    assert watching.process.returncode == 130
    assert said == "qnn: interrupted: watched 2 of 2 frames\n"
    says(one, "no connection")


def test_a_name_that_looks_like_html_is_text(watching, open_page):
    page, _, mistakes = open_page()
    watching.give(SAMPLES / "bag.png", "<img src=x onerror=alert(1)>.png")
    shows(page, "% Bag")
    assert page.locator("img").count() == 1 and mistakes == []
