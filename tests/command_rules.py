# SPDX-License-Identifier: BSD-3-Clause
"""Which commands the accelerator must take, written down a second time: a judge of its check."""

from __future__ import annotations

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import COMMAND_BYTES, decode, encode


def fields_of(command: int) -> dict[str, int]:
    """All fields of a 512-bit command, by name."""
    return decode(command.to_bytes(COMMAND_BYTES, "little"))


USED = sum(((1 << w) - 1) << (64 * beat + low) for beat, low, w in regs.COMMAND.values())


def with_fields(command: int, **fields: int) -> int:
    """The command with other values in these fields."""
    return int.from_bytes(encode(fields_of(command) | fields), "little")


def reasons(command: int, index: int, caps: Capabilities) -> list[str]:
    """Why a command must be refused; none for a good one."""
    f = fields_of(command)
    bounds = {
        "opcode": (regs.OPCODE, regs.OPCODE), "index": (index, index), "planes": (1, caps.planes),
        "passes": (1, caps.passes), "exponent": (0, f["passes"] - 1),
        "kernel_rows": (1, caps.kernel_rows), "stride": (1, 4),
        "pool_size": (1, 3), "pool_stride": (1, 2), "pool_top": (0, f["pool_size"] - 1),
        "pool_left": (0, f["pool_size"] - 1), "tiles": (1, 255),
        "tile_words": (1, caps.weight_words), "thresholds": (0, caps.threshold_words),
        "ring_words": (f["row_words"], caps.window_words),
        "row_words": (f["plane_words"], 8191),
        "walk_rows": (f["conv_rows"] + f["pool_top"], 1023),
        "walk_columns": (f["conv_columns"] + f["pool_left"], 1023),
    }  # fmt: skip
    for name in ("words window_nibbles in_rows in_columns conv_rows conv_columns out_rows "
                 "out_columns plane_words row_beats").split():  # fmt: skip
        bounds[name] = (1, 1 << 16)
    for name in ("stride_words", "pass_step", "ring_start"):
        bounds[name] = (0, f["ring_words"] - 1)
    if f["raw"]:
        bounds["thresholds"], bounds["pool_size"] = (0, 0), (1, 1)
    else:
        bounds["out_planes"] = (1, caps.code_bits)
        bounds["thresholds"] = (1, caps.threshold_words)
    if f["pool_size"] != 1:
        bounds["out_columns"] = (1, caps.pool_columns)
    if f["reload"]:
        bounds["ring_rows"] = (f["kernel_rows"] + 2 * f["stride"], 1023)
        bounds["conv_columns"] = (caps.pixels, 1023)
    else:
        bounds["ring_rows"] = (f["in_rows"], 1023)
    if f["tight"]:
        bounds["row_beats"] = (max(1, f["row_words"]), f["row_words"])
    else:
        bounds |= {"blocks": (1, 255), "pixel_bytes": (1, 4095)}
        bounds |= {"block_used": (1, caps.pe // 8), "first_skip": (0, f["block_used"] - 1)}
        bounds["last_bytes"] = (1, f["block_used"])
    if f["word_products"]:
        bounds |= {"tight": (1, 1), "raw": (0, 0), "planes": (1, 1), "exponent": (0, 0)}
        bounds["passes"], bounds["wide_sums"] = (1, caps.pe // 8), (0, 0)
        bounds["words"] = (-(-caps.pixels // max(f["kernel_rows"], 1)), 255)
    else:
        bounds["word_unsigned"] = (0, 0)
    if f["tight"]:
        bounds["drop_lowest"] = (0, 0)
    bounds["requantise"] = (0, caps.requantiser)
    if f["requantise"]:
        bounds["raw"], bounds["word_products"] = (0, 0), (0, 0)
        if not f["raw"]:
            bounds["thresholds"] = (caps.pe // 2, caps.pe // 2)
    if f["raw"] or f["requantise"] or f["wide_sums"]:
        bounds["short_sums"] = (0, 0)
    found = [name for name, (low, high) in bounds.items() if not low <= f[name] <= high]
    for name in ("in_address", "params_address", "out_address", "block_bytes"):
        if f[name] % 8:
            found.append(name)
    if command & ~USED:
        found.append("unused bits")
    return found
