# SPDX-License-Identifier: BSD-3-Clause
"""Layers whose shape is template arguments: their fields are those of a command, and one runs."""

import re
import subprocess
from dataclasses import replace

import numpy as np
import random_networks

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError
from qnn.network import Conv, MaxPool
from qnn.store import library
from qnn_sim import hls_csim, kernel_frames, run_options
from qnn_sim.hls_headers import HLS, include_flags


def template_arguments(layer: Conv, fields: dict[str, int]) -> str:
    pool = layer.pool or MaxPool(1, 1)
    planes, levels = layer.in_bits, 0 if layer.thresholds is None else layer.thresholds.shape[1]
    rows, columns, channels = layer.in_shape
    top, left, bottom, right = layer.padding
    return (
        f"Input<{rows}, {columns}, {channels}, {planes}>, "
        f"Kernel<{layer.kernel[0]}, {layer.kernel[1]}, {layer.stride}, "
        f"{top}, {left}, {bottom}, {right}>, "
        f"Output<{layer.outputs}, {levels}, {fields['out_planes']}, {fields['passes']}, "
        f"{fields['exponent']}>, "
        f"Pool<{pool.size}, {pool.stride}, {', '.join(map(str, pool.padding))}>"
    )


def assert_compiles(lines, folder):
    """The lines are C++14 that compiles, behind the headers of a fixed layer."""
    source = folder / "source.cpp"
    source.write_text("\n".join(['#include "qnn/layer.hpp"', "using namespace qnn;", *lines]))
    command = ["g++", "-fsyntax-only", *include_flags(), "-std=c++14", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


def test_defaults_are_those_of_the_accelerator(tmp_path):
    caps = Capabilities()
    sizes = {
        "Simd": caps.simd, "Pe": caps.pe, "Pixels": caps.pixels, "WeightWords": caps.weight_words,
        "ThresholdWords": caps.threshold_words, "WindowWords": caps.window_words,
        "PoolColumns": caps.pool_columns,
    }  # fmt: skip
    values = {f"Folding<>::{name}": size for name, size in sizes.items()}
    values |= {
        "AccW": caps.accumulator_bits, "CodeW": caps.code_bits, "KernelRows": caps.kernel_rows,
    }  # fmt: skip
    lines = [f'static_assert({name} == {v}u, "{name}");' for name, v in values.items()]
    assert_compiles(lines, tmp_path)


def test_fields_are_those_of_a_command(seed, tmp_path):
    known = set(re.findall(r"(\w+) =", (HLS / "include/qnn/layer.hpp").read_text()))
    fields = known & set(regs.COMMAND)
    assert len(fields) > 30
    lines = []
    for case in range(seed, seed + run_options.draws(400, 40)):
        rng = np.random.default_rng(case)
        layer = random_networks.random_layers(rng)[0]
        if layer.groups > 1:
            continue
        # a fixed layer compares
        caps = replace(hls_csim.capabilities("pynq-z1"), requantiser=0)
        codes = np.zeros(layer.in_shape, int)
        try:
            (command,) = kernel_frames.commands(layer, codes, caps, source="blocks")
        except DoesNotFitError:
            continue
        if command.fields["reload"]:
            continue
        shape = template_arguments(layer, command.fields)
        lines.append(f"using L{case} = Layer<Folding<>, {shape}>;")
        lines += [
            f'static_assert(L{case}::{name} == {command.fields[name]}u, "{name}: SEED={case}");'
            for name in sorted(fields)
        ]
    assert len(lines) > (0 if run_options.short() else 200 * len(fields))
    assert_compiles(lines, tmp_path)


def test_layer_of_the_shipped_network_equals_golden(seed):
    (layer,) = (one for one in library.find(library.DEFAULT).layers if one.name == "conv4")
    rng = np.random.default_rng(seed)
    text = (HLS / "kernels/conv_fixed/conv_fixed.hpp").read_text()
    written = re.search(r"using FixedLayer = qnn::Layer<Fold, (.*?)>;", text, re.S)[1]
    assert [int(v) for v in re.findall(r"\d+", written)] == [12, 12, 64, 2, 3, 3, 64, 3, 2, 2, 2]
    assert compile_layers([layer]).commands == 1
    for configuration in ("pynq-z1", "small", "wide"):
        codes = rng.integers(0, 4, layer.in_shape)
        caps = hls_csim.capabilities(configuration)
        (frame,) = kernel_frames.conv(layer, codes, caps, source="blocks")
        words = frame.words[regs.COMMAND_BEATS :]
        got = hls_csim.run_kernel("conv_fixed", words, configuration)
        assert frame.differing(got) == 0
