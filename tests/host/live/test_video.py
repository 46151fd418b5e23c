# SPDX-License-Identifier: BSD-3-Clause
"""Videos and streams by the real PyAV; cameras by a stand-in for it, and its refusals."""

import errno
import io
import itertools
import sys
import threading
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from qnn.errors import SourceError
from qnn.live import video
from qnn.live.frame import Frame
from qnn.live.server import Server
from qnn.live.shown import Shown
from qnn.live.video import Video
from qnn.live.watch import Seen
from qnn.model import Detections
from qnn.pictures.picture import Picture
from qnn.pictures.pipe import Piped

GREYS = (0, 60, 120, 180, 240)
SIZE = (96, 64)


def grey(source) -> int:
    return round(float(Picture.open(source).rgb().mean()))


def is_near(found, wanted) -> bool:
    return abs(found - wanted) <= 6


@pytest.fixture
def clip(tmp_path):
    """clip("mjpeg") is a file of five grey frames, ten a second."""
    av = pytest.importorskip("av", reason="the extra live is not installed")

    def write(codec, name="clip.avi"):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height = SIZE
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for value in GREYS:
                pixels = np.full((SIZE[1], SIZE[0], 3), value, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
        return str(path)

    return write


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_every_frame_of_a_file(clip, codec):
    path = clip(codec)
    found = list(video.file(path, every=True).frames(threading.Event()))
    assert [one.name for one in found] == [path] * 5
    assert all(map(is_near, (grey(one.source) for one in found), GREYS))
    assert all(Picture.open(one.source).size == SIZE for one in found)
    assert all(isinstance(one.source, Piped) == (codec == "mjpeg") for one in found)


def test_at_its_own_pace(clip, monkeypatch):
    waits = []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)

    monkeypatch.setattr(video.time, "monotonic", lambda: 100.0)
    assert len(list(video.file(clip("mpeg4"), every=False).frames(Stop()))) == 5
    assert waits == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_a_stop_on_the_way(clip):
    stop = threading.Event()
    frames = video.file(clip("mpeg4"), every=True).frames(stop)
    next(frames)
    stop.set()
    assert list(frames) == []


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "gives no frames"), (b"no video at all" * 99, "Invalid data")]
)
def test_files_that_are_no_videos(tmp_path, data, reason):
    pytest.importorskip("av", reason="the extra live is not installed")
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=reason) as caught:
        list(video.file(str(path), every=True).frames(threading.Event()))
    assert str(caught.value).startswith(f"{path} gives no frames: ")


def test_a_sound_has_no_pictures(tmp_path):
    av = pytest.importorskip("av", reason="the extra live is not installed")
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        silence.rate = 8000
        container.mux(stream.encode(silence))
    with pytest.raises(SourceError, match=r"sound.wav has no pictures in it"):
        list(video.file(str(path), every=True).frames(threading.Event()))


def test_what_another_one_serves_until_it_ends():
    pytest.importorskip("av", reason="the extra live is not installed")
    shown, ended = Shown(), threading.Event()

    def show():
        for value in itertools.cycle(GREYS):
            pixels = np.full((SIZE[1], SIZE[0], 3), value, np.uint8)
            seen = Seen(Frame("a", pixels, 1), Detections("a", [], {}), 0, 1.0)
            shown.show(seen, {})
            if ended.wait(0.02):
                return

    showing = threading.Thread(target=show)
    with Server(shown, dict, 0) as server:
        showing.start()
        address = f"{server.url}stream"
        frames = video.address(address).frames(threading.Event())
        found = list(itertools.islice(frames, 20))
        ended.set()
    assert all(any(is_near(grey(one.source), value) for value in GREYS) for one in found)
    assert {one.name for one in found} == {address}
    with pytest.raises(SourceError, match="gives no "):
        list(frames)
    showing.join()


def test_nobody_at_an_address():
    pytest.importorskip("av", reason="the extra live is not installed")
    with pytest.raises(SourceError, match="1:1/stream gives no frames: Connection refused"):
        next(video.address("http://me:secret@127.0.0.1:1/stream").frames(threading.Event()))


def test_an_endless_source_that_ends_has_gone(clip):
    frames = Video("camera", clip("mpeg4"), endless=True).frames(threading.Event())
    assert len(list(itertools.islice(frames, 5))) == 5
    with pytest.raises(SourceError, match="camera gives no more frames"):
        next(frames)


class FFmpegError(Exception):
    """What PyAV raises, where that is no OSError."""


class Camera:
    """PyAV with a V4L2 camera behind it, for `qnn.live.video`.

    Args:
        jpeg: it can send JPEG; else it refuses to.
        frames: how many there are until it is unplugged.
    """

    FFmpegError = FFmpegError

    def __init__(self, jpeg, frames) -> None:
        self._jpeg, self._frames = jpeg, frames
        self.opened, self.closed = [], 0

    def open(self, target, *, format, options, timeout):
        assert (target, format, timeout) == ("/dev/video3", "v4l2", (video.OPEN_S, video.READ_S))
        self.opened.append(options)
        if options and not self._jpeg:
            raise ArgumentError("Invalid argument")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed += 1

    @property
    def streams(self):
        return self

    @property
    def video(self):
        return [self]

    @property
    def codec_context(self):
        return self

    @property
    def name(self):
        return "mjpeg" if self._jpeg else "rawvideo"

    def demux(self, stream):
        assert stream is self and self._jpeg
        for _ in range(self._frames):
            yield Packet(b"jpeg")
        raise OSError(errno.ENODEV, "No such device")

    def decode(self, stream):
        assert stream is self and not self._jpeg
        for _ in range(self._frames):
            yield Pixels()
        raise OSError(errno.ENODEV, "No such device")


class ArgumentError(ValueError):
    """As av.error.ArgumentError."""

    errno = errno.EINVAL


class Packet(bytes):
    pts = None
    size = property(len)


class Pixels:
    time = None
    rotation = -90  # it is to be turned counterclockwise by so much

    def to_ndarray(self, *, format):
        assert format == "rgb24"
        return np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize("jpeg", [True, False])
def test_a_camera_that_is_unplugged(monkeypatch, jpeg):
    device = Camera(jpeg, 3)
    monkeypatch.setitem(sys.modules, "av", device)
    monkeypatch.setattr(video.os.path, "exists", lambda path: path == "/dev/video3")
    frames = video.camera("3").frames(threading.Event())
    found = list(itertools.islice(frames, 3))
    assert {one.name for one in found} == {"/dev/video3"}
    for one in found:
        if jpeg:
            assert one.source == Piped("/dev/video3", b"jpeg")
        else:  # clockwise: what was below is left
            assert one.source[..., 0].tolist() == [[9, 0], [12, 3], [15, 6]]
    asked = {"input_format": "mjpeg"}
    assert device.opened == ([asked] if jpeg else [asked, {}])
    with pytest.raises(SourceError, match="/dev/video3 gives no frames: No such device"):
        next(frames)
    assert device.closed == 1


@pytest.mark.parametrize("url", ["nope://x", "http://127.0.0.1:{port}/none.mjpg"])
def test_an_address_that_gives_nothing(url):
    """Of FFmpeg's errors these are no OSError."""
    pytest.importorskip("av", reason="the extra live is not installed")
    with Server(Shown(), dict, 0) as server:
        frames = video.address(url.format(port=server.port)).frames(threading.Event())
        with pytest.raises(SourceError, match="gives no frames: "):
            next(frames)


def test_a_camera_that_another_program_has(monkeypatch):
    class Busy:
        FFmpegError = FFmpegError

        def open(self, *_, **__):
            raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setitem(sys.modules, "av", Busy())
    monkeypatch.setattr(video.os.path, "exists", lambda path: True)
    with pytest.raises(SourceError, match="/dev/video0 gives no frames: Device or resource busy"):
        next(video.camera("0").frames(threading.Event()))


def test_leaving_closes_the_camera(monkeypatch):
    device = Camera(True, 3)
    monkeypatch.setitem(sys.modules, "av", device)
    monkeypatch.setattr(video.os.path, "exists", lambda path: True)
    with closing(video.camera("3").frames(threading.Event())) as frames:
        next(frames)
    assert device.closed == 1


def standard_jpeg() -> bytes:
    """A picture, its Huffman tables those of the standard, as libjpeg writes them."""
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def without_tables(jpeg: bytes) -> bytes:
    """The same without its segments DHT."""
    while (at := jpeg.find(b"\xff\xc4")) >= 0:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        jpeg = jpeg[:at] + jpeg[at + 2 + length :]
    return jpeg


def test_jpeg_of_cameras_that_leave_the_tables_out():
    """Motion JPEG may do without Huffman tables: those of the standard are meant."""
    with_tables = Picture.open(Piped("a", standard_jpeg())).rgb()
    assert (Picture.open(Piped("a", without_tables(standard_jpeg()))).rgb() == with_tables).all()
