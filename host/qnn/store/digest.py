# SPDX-License-Identifier: BSD-3-Clause
"""One number for what a network computes: equal on two machines where the network is the same."""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np

from qnn.network import Network
from qnn.store import form

PROSE = ("name", "title", "source", "licence", "missing", "notes", "reads")  # changes no answer


def digest(network: Network) -> str:
    """SHA-256, 64 hexadecimal digits, of the description and the arrays of a network.

    Its name and what it says to people of itself are left out, and so is how its files are packed.
    """
    document, tensors = form.parts(network)
    described = {name: value for name, value in document.items() if name not in PROSE}
    found = sha256(json.dumps(described, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        found.update(f"{name} {stored.dtype.str} {array.shape}\n".encode())
        found.update(stored.tobytes())
    return found.hexdigest()
