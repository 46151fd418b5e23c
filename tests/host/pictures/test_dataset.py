# SPDX-License-Identifier: BSD-3-Clause
"""Data sets are read pixel by pixel, or refused in one sentence."""

import gzip
import struct
import warnings
import zipfile

import numpy as np
import pytest
from damage import damaged_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn.errors import FormatError
from qnn.pictures import dataset
from qnn.pictures.dataset import read, read_idx, read_images


def idx(array):
    """An IDX file of unsigned bytes."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def cifar(images, labels):
    """CIFAR-10 records: label, then the red, the green and the blue plane."""
    return b"".join(
        bytes([label]) + b"".join(image[..., c].tobytes() for c in range(3))
        for image, label in zip(images, labels, strict=True)
    )


@pytest.fixture
def grey():
    return np.random.default_rng(1).integers(0, 256, (4, 5, 6), dtype=np.uint8)


@pytest.fixture
def colour():
    return np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def mnist(tmp_path, grey):
    """A directory with the file names of MNIST."""
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(grey))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(4)))
    return tmp_path


def refuse(path, match):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(FormatError, match=match) as raised:
            read(path)
    assert "\n" not in str(raised.value)


class TestRead:
    def check(self, path, images, labels):
        found = read(path)
        assert (found.images.dtype, found.labels.dtype) == (np.uint8, np.int64)
        np.testing.assert_array_equal(found.images, images)
        np.testing.assert_array_equal(found.labels, labels)

    def test_directory_of_mnist(self, mnist, grey):
        self.check(mnist, grey, range(4))
        self.check(mnist / "t10k-images-idx3-ubyte", grey, range(4))

    def test_gzipped(self, mnist, grey):
        for path in list(mnist.iterdir()):
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        self.check(mnist, grey, range(4))
        self.check(mnist / "t10k-images-idx3-ubyte.gz", grey, range(4))

    def test_test_pictures_come_before_training_pictures(self, mnist, grey):
        (mnist / "train-images-idx3-ubyte").write_bytes(idx(grey[:1]))
        (mnist / "a-images-idx3-ubyte").write_bytes(idx(grey[:1]))
        self.check(mnist, grey, range(4))

    def test_other_names(self, tmp_path, grey):
        (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(grey))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.full(4, 200)))
        self.check(tmp_path, grey, [200] * 4)

    def test_cifar(self, tmp_path, colour):
        path = tmp_path / "test_batch.bin"
        path.write_bytes(cifar(colour, [9, 0, 255]))
        self.check(path, colour, [9, 0, 255])

    @pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, ">i4"])
    def test_npz(self, tmp_path, grey, colour, dtype):
        for images in (grey, colour):
            labels = np.arange(len(images)).astype(dtype)
            np.savez(tmp_path / "some.npz", images=images, labels=labels)
            self.check(tmp_path / "some.npz", images, range(len(images)))

    def test_missing(self, tmp_path, mnist):
        refuse(tmp_path / "nothing", "nothing: no such file")
        (mnist / "t10k-labels-idx1-ubyte").unlink()
        refuse(mnist, "t10k-labels-idx1-ubyte: cannot be read")
        (mnist / "t10k-images-idx3-ubyte").unlink()
        refuse(mnist, r"no t10k-images-idx3-ubyte\[.gz\] there; name a file")

    def test_no_data_set(self, tmp_path):
        (tmp_path / "letter.txt").write_text("Dear Sir")
        refuse(tmp_path / "letter.txt", "letter.txt: not a data set; see `qnn eval --help`")

    @pytest.mark.parametrize(
        ("images", "labels"),
        [
            ((4, 5, 6), (3,)),
            ((4, 5), (4,)),
            ((4,), (4,)),
            ((4, 5, 6), (4, 1)),
            ((4, 1, 1, 1), (1,)),
        ],
    )
    def test_pictures_and_labels_that_do_not_belong_together(self, tmp_path, images, labels):
        (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros(images)))
        (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(labels)))
        refuse(tmp_path, "do not belong together")

    @pytest.mark.parametrize("shape", [(4, 5, 6, 1), (4, 5, 6, 4), (4, 0, 6), (4, 5, 0, 3)])
    def test_pictures_that_are_neither_grey_nor_rgb(self, tmp_path, shape):
        labels = np.zeros(4, np.int64)
        np.savez(tmp_path / "some.npz", images=np.zeros(shape, np.uint8), labels=labels)
        refuse(tmp_path / "some.npz", "some.npz: pictures of shape")

    def test_no_picture(self, tmp_path):
        (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((0, 28, 28))))
        (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(0)))
        refuse(tmp_path, "it holds no picture")
        np.savez(
            tmp_path / "some.npz", images=np.zeros((0, 2, 2), np.uint8), labels=np.zeros(0, int)
        )
        refuse(tmp_path / "some.npz", "it holds no picture")

    @pytest.mark.parametrize("size", [0, 1, 3072, 3074, 3 * 3073 - 1])
    def test_cifar_of_a_wrong_size(self, tmp_path, size):
        (tmp_path / "batch.bin").write_bytes(b"\0" * size)
        refuse(tmp_path / "batch.bin", f"batch.bin: {size} bytes are not whole CIFAR-10 records")

    def test_a_directory_for_a_file(self, mnist):
        (mnist / "t10k-images-idx3-ubyte").unlink()
        (mnist / "t10k-images-idx3-ubyte").mkdir()
        refuse(mnist, "cannot be read")


class TestNpz:
    def test_without_labels(self, tmp_path, grey):
        np.savez(tmp_path / "some.npz", images=grey)
        refuse(tmp_path / "some.npz", "labels")

    @pytest.mark.parametrize(
        ("images", "labels"),
        [
            (np.zeros((2, 3, 3), np.float32), np.zeros(2, int)),
            (np.zeros((2, 3, 3), np.int64), np.zeros(2, int)),
            (np.zeros((2, 3, 3), np.uint8), np.zeros(2)),
            (np.zeros((2, 3, 3), np.uint8), np.zeros(2, bool)),
            (np.zeros((2, 3, 3), np.uint8), np.array(["a", "b"])),
        ],
        ids=["floats", "int64", "float labels", "booleans", "text"],
    )
    def test_other_types(self, tmp_path, images, labels):
        np.savez(tmp_path / "some.npz", images=images, labels=labels)
        refuse(tmp_path / "some.npz", f"pictures are {images.dtype} and labels {labels.dtype}")

    def test_pickles(self, tmp_path):
        objects = np.array([[{}]], dtype=object)
        np.savez(tmp_path / "some.npz", images=objects, labels=objects)
        refuse(tmp_path / "some.npz", "cannot be read")

    @pytest.mark.parametrize(
        "content", [b"", b"PK", b"no zip", b"PK\5\6" + 18 * b"\0", b"\x80\x04N."], ids=range(5)
    )
    def test_no_zip(self, tmp_path, content):
        (tmp_path / "some.npz").write_bytes(content)
        refuse(tmp_path / "some.npz", "some.npz")

    def test_an_array_of_its_own(self, tmp_path, grey):
        """An .npy file under the name of an .npz file."""
        with (tmp_path / "some.npz").open("wb") as file:
            np.save(file, grey)
        refuse(tmp_path / "some.npz", "some.npz")

    def test_members_that_are_no_arrays(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "some.npz", "w") as file:
            file.writestr("images", b"picture")
            file.writestr("labels", b"label")
        refuse(tmp_path / "some.npz", "some.npz")

    def test_truncated(self, tmp_path, grey):
        path = tmp_path / "some.npz"
        np.savez_compressed(path, images=grey, labels=np.arange(4))
        content = path.read_bytes()
        for size in range(0, len(content), 17):
            path.write_bytes(content[:size])
            refuse(path, "some.npz")

    def test_random_damage(self, tmp_path_factory):
        path = tmp_path_factory.mktemp("damage") / "some.npz"
        images = np.random.default_rng(1).integers(0, 256, (4, 5, 6), dtype=np.uint8)
        np.savez_compressed(path, images=images, labels=np.arange(4))

        @settings(max_examples=150)
        @given(damaged_bytes(path.read_bytes()))
        def load(content):
            path.write_bytes(content)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    found = read(path)
                except FormatError as error:
                    assert "\n" not in str(error)
                else:
                    np.testing.assert_array_equal(found.images, images)

        load()


class TestReadIdx:
    @given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    def test_any_shape(self, tmp_path_factory, shape):
        array = np.arange(np.prod(shape)).reshape(shape) % 256
        path = tmp_path_factory.getbasetemp() / "any-idx"
        for content in (idx(array), gzip.compress(idx(array), compresslevel=1)):
            path.write_bytes(content)
            np.testing.assert_array_equal(read_idx(path), array)

    def test_truncated_anywhere(self, tmp_path, grey):
        path = tmp_path / "images-idx3"
        for whole in (idx(grey), gzip.compress(idx(grey))):
            for size in range(len(whole)):
                path.write_bytes(whole[:size])
                with pytest.raises(FormatError, match="images-idx3: "):
                    read_idx(path)
        path.write_bytes(idx(grey) + b"\0")
        with pytest.raises(FormatError, match="truncated"):
            read_idx(path)

    @pytest.mark.parametrize(
        "head",
        [
            b"\0\0\x09\1\0\0\0\1\0",  # signed bytes
            b"\0\0\x0d\1\0\0\0\1\0\0\0\0",  # floats
            b"\0\1\x08\1\0\0\0\1\0",
            b"\0\0\x08\0\0",  # no dimension
            b"\0\0\x08\5" + b"\0\0\0\1" * 5 + b"\0",  # five
        ],
    )
    def test_other_types_and_dimensions(self, tmp_path, head):
        (tmp_path / "idx").write_bytes(head)
        with pytest.raises(FormatError, match="not an IDX file of unsigned bytes"):
            read_idx(tmp_path / "idx")

    def test_a_size_that_is_only_claimed(self, tmp_path):
        (tmp_path / "idx").write_bytes(b"\0\0\x08\4" + b"\xff" * 16)
        with pytest.raises(FormatError, match="truncated"):
            read_idx(tmp_path / "idx")

    def test_damaged_gzip(self, tmp_path, grey):
        content = bytearray(gzip.compress(idx(grey)))
        content[len(content) // 2] ^= 0xFF
        (tmp_path / "idx").write_bytes(content)
        with pytest.raises(FormatError, match="idx: "):
            read_idx(tmp_path / "idx")

    def test_too_large(self, tmp_path, grey, monkeypatch):
        monkeypatch.setattr(dataset, "MAX_BYTES", 50)
        for name, content in (("plain", idx(grey)), ("packed", gzip.compress(b"\0" * 999))):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(FormatError, match=name):
                read_idx(tmp_path / name)

    @settings(max_examples=300)
    @given(content=st.binary(max_size=40))
    def test_anything(self, tmp_path_factory, content):
        path = tmp_path_factory.getbasetemp() / "anything-idx"
        path.write_bytes(content)
        try:
            found = read_idx(path)
        except FormatError:
            return
        assert found.size == len(content) - 4 - 4 * found.ndim


class TestReadImages:
    def test_idx(self, tmp_path, grey):
        (tmp_path / "digits").write_bytes(idx(grey))
        np.testing.assert_array_equal(read_images(tmp_path / "digits"), grey)

    def test_cifar(self, tmp_path, colour):
        (tmp_path / "test.bin").write_bytes(cifar(colour, [1, 2, 3]))
        np.testing.assert_array_equal(read_images(tmp_path / "test.bin"), colour)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("picture.png", b"\x89PNG\r\n\x1a\n"),
            ("codes.bin", b"\1" * 99),
            ("labels", b"\0\0\x08\1\0\0\0\1\0"),
            ("empty", b""),
        ],
    )
    def test_others(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        assert read_images(tmp_path / name) is None

    def test_truncated(self, tmp_path, grey):
        (tmp_path / "digits").write_bytes(idx(grey)[:-1])
        with pytest.raises(FormatError, match="truncated"):
            read_images(tmp_path / "digits")
