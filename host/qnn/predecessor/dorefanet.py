# SPDX-License-Identifier: BSD-3-Clause
"""DoReFa-Net, called as in the notebooks of QNN-MO-PYNQ."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from qnn.errors import QnnError
from qnn.pictures.picture import Picture
from qnn.predecessor.offloaded_network import OffloadedNetwork


class Dorefanet(OffloadedNetwork):
    """The offloaded layers of DoReFa-Net, and the pictures that go into its first layer."""

    name = "dorefanet"
    activation_bits = 2

    def load_image(self, imgfile: str | os.PathLike[str]) -> tuple[NDArray[np.float32], str]:
        """A picture scaled, cropped and normalised for the first layer, and its class.

        Returns:
            float32 (1, 224, 224, 3), BGR; and the file's name up to the first "_", which is the
            ImageNet synset in the names of its pictures.

        Raises:
            QnnError: the picture or the mean picture (ilsvrc_pp_mean.npy) cannot be read.
        """
        network = self.network
        if self._picture is None:
            raise QnnError(f"model {self.name} is incomplete: {'; '.join(network.missing)}")
        tensor = self._picture.tensor(Picture.open(imgfile))
        return tensor.astype(np.float32)[None], os.path.basename(imgfile).split("_")[0]
