# SPDX-License-Identifier: BSD-3-Clause
"""The programming interface of QNN-MO-PYNQ's notebooks, on the backends of this package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.backends import open_session
from qnn.backends.protocol import Session
from qnn.engine.placement import integer_layers
from qnn.errors import QnnError
from qnn.importers import import_network
from qnn.importers.qnn_mo.layers import read_json
from qnn.network import Network, PictureInput, describe
from qnn.predecessor import activation_buffer
from qnn.store import library

RUNTIME_HW = "python_hw"  # the best backend there is
RUNTIME_SW = "python_sw"  # this processor
ROUNDING = 1e-3  # how far a code computed in floats may be from a whole number


class OffloadedNetwork:
    """Runs the offloaded layers of one network, called as the predecessor was.

    init_accelerator, load_network, get_accel_buffer, prepare_buffer, inference,
    postprocess_buffer, deinit_accelerator, in this order; `load_network` may also come first.
    """

    name: str  # of the network, for its default layer JSON
    activation_bits: int

    def __init__(self, runtime: str = RUNTIME_HW) -> None:
        if runtime not in (RUNTIME_HW, RUNTIME_SW):
            raise QnnError(f"unknown runtime {runtime!r}; known are {RUNTIME_HW}, {RUNTIME_SW}")
        self._backend = "auto" if runtime == RUNTIME_HW else "cpu"
        self._ready = False
        self._network: Network | None = None
        self._picture: PictureInput | None = None
        self._session: Session | None = None

    def init_accelerator(
        self,
        bit_file: str | None = None,
        json_network: str | None = None,
        json_layer: str | None = None,
    ) -> None:
        """Gets ready to run. One accelerator serves all networks, so only json_layer matters.

        Args:
            bit_file, json_network: accepted as before; the backend knows its own.
            json_layer: as for `load_network`.
        """
        self._ready = True
        if json_layer is not None:
            self.load_network(json_layer)

    def load_network(self, json_layer: str | None = None) -> dict[str, dict[str, Any]]:
        """Loads the layers and parameters that a layer JSON lists.

        Args:
            json_layer: path of the JSON; None takes the one that `qnn params fetch` left.

        Returns:
            The layers by name, each as the JSON has it.

        Raises:
            QnnError: a file is missing or malformed.
        """
        path = library.original(self.name) if json_layer is None else Path(json_layer)
        network = import_network("qnn-mo", path, self.name)
        # Pictures and the layers around are the notebooks' own.
        offloaded = replace(
            network, layers=integer_layers(network.layers), picture=None, result=None
        )
        if offloaded.in_bits != self.activation_bits:
            raise QnnError(
                f"{path}: {offloaded.in_bits}-bit activations, but {type(self).__name__} packs "
                f"{self.activation_bits} bits"
            )
        self._drop_session()
        self._network, self._picture = offloaded, network.picture
        return {
            str(layer["name"]): {key: value for key, value in layer.items() if key != "name"}
            for layer in read_json(path)["layers"]
            if "name" in layer
        }

    def get_accel_buffer(self, channels: int, dim: int) -> NDArray[np.uint8]:
        """A buffer for the output of the last layer: zeros, uint8 (dim, dim, channels)."""
        self._require_ready()
        return np.zeros((dim, dim, channels), dtype=np.uint8)

    def prepare_buffer(self, buffer: NDArray[Any]) -> NDArray[np.uint8]:
        """Codes (C, H, W) of any numeric type, packed: uint8 (H, W, bytes).

        Raises:
            QnnError: another number of dimensions, or values that are no codes.
        """
        self._require_ready()
        values = np.asarray(buffer)
        if values.ndim != 3:
            raise QnnError(f"prepare_buffer takes codes of CxHxW, not {describe(values.shape)}")
        codes, most = np.rint(values), 2**self.activation_bits - 1
        if not ((codes >= 0) & (codes <= most) & (abs(values - codes) < ROUNDING)).all():
            raise QnnError(f"prepare_buffer takes whole numbers from 0 to {most}; quantize first")
        return activation_buffer.pack(
            np.moveaxis(codes.astype(np.uint8), 0, 2), self.activation_bits
        )

    def inference(self, img: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Runs the layers on what `prepare_buffer` gave; the result is left in `out`, packed."""
        self._require_ready()
        network = self.network
        rows, columns, channels = network.in_shape
        pitch = activation_buffer.tight_pitch(channels, self.activation_bits)
        if img.shape != (rows, columns, pitch) or img.dtype != np.uint8:
            raise QnnError(
                f"network {network.name} reads a buffer of uint8 {rows}x{columns}x{pitch}, not "
                f"{img.dtype} {describe(img.shape)}"
            )
        if out.shape != network.out_shape or out.dtype != np.uint8:
            raise QnnError(
                f"network {network.name} gives {describe(network.out_shape)}, so its buffer is "
                f"not {out.dtype} {describe(out.shape)}; see get_accel_buffer"
            )
        if self._session is None:
            _, self._session = open_session(self._backend, network)
        codes = activation_buffer.unpack(img, channels, self.activation_bits)
        packed = activation_buffer.pack(
            self._session.run(codes[None])[0].astype(np.uint8), self.activation_bits
        )
        out[...] = 0
        out[..., : packed.shape[2]] = packed

    def postprocess_buffer(self, buffer: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What `inference` left in a buffer: codes, float32, flat in (row, column, channel)."""
        self._require_ready()
        codes = activation_buffer.unpack(buffer, buffer.shape[2], self.activation_bits)
        return codes.ravel().astype(np.float32)

    def deinit_accelerator(self) -> None:
        """Gives the accelerator back; `init_accelerator` takes it again."""
        self._drop_session()
        self._ready = False

    @property
    def network(self) -> Network:
        """The layers that `load_network` loaded; the default ones if it was not called."""
        if self._network is None:
            self.load_network()
        assert self._network is not None
        return self._network

    def _drop_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _require_ready(self) -> None:
        if not self._ready:
            raise QnnError("the accelerator is not initialized; call init_accelerator() first")
