# SPDX-License-Identifier: BSD-3-Clause
"""An .onnx file as plain nodes and numpy arrays; nothing else in the package knows protobuf.

A file is not trusted: sizes are checked before memory is taken, tensors beside the file are read
only from its own directory, and whatever does not parse is one FormatError.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import FormatError, NetworkError, QnnError
from qnn.memory import drain, enough_for

Array = NDArray[Any]

MAX_FILE_BYTES = 1 << 30
MAX_MAP = 1 << 24  # elements of one feature map
STANDARD = ("", "ai.onnx")
QUANTISED = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
CHANNELS_LAST = "qonnx.custom_op.channels_last"
_ATTRIBUTES = {  # of what type those are that the importer reads
    "INT": "axis group to signed narrow transA transB ceil_mode allowzero value_int largest "
    "select_last_index training_mode block_size blocksize output_dtype keepdims count_include_pad",
    "INTS": "strides pads dilations kernel_shape perm axes shape value_ints",
    "FLOAT": "epsilon alpha beta gamma out_scale out_bias min max value_float",
    "FLOATS": "value_floats scales",
    "STRING": "auto_pad rounding_mode data_layout mode nearest_mode coordinate_transformation_mode",
    "TENSOR": "value",
}
_TYPES = {name: kind for kind, names in _ATTRIBUTES.items() for name in names.split()}
WHOLE_TYPES = {
    2: "UINT8",
    3: "INT8",
    4: "UINT16",
    5: "INT16",
    6: "INT32",
    12: "UINT32",
    21: "UINT4",
    22: "INT4",
}  # of TensorProto.DataType
_DTYPES = (
    "float16 float32 float64 int64 int32 int16 int8 int4 int2 uint32 uint16 uint8 uint4 uint2 bool"
).split()
_SMALL = ("int4", "int2", "uint4", "uint2")  # of which several lie in a byte


@dataclass(frozen=True, eq=False)
class Node:
    """One operator.

    Attributes:
        op: its type: "Conv", "Quant".
        name: as the file calls it, else the name of its first output.
        inputs, outputs: names of tensors; "" for an optional one that is absent.
        attributes: those that are read, by name: int, float, str, list of them, or array.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def channels_last(self) -> bool:
        """Whether its maps have their channels last (domain qonnx.custom_op.channels_last)."""
        return bool(self.attributes.get("channels_last"))

    def refuse(self, reason: str) -> NetworkError:
        """The error to raise where the network cannot be run as it is."""
        return NetworkError(f"node {self.name!r} ({self.op}): {reason}")


@dataclass(frozen=True, eq=False)
class Graph:
    """What an .onnx file says.

    Attributes:
        nodes: those that the outputs depend on, each after the nodes it reads from.
        constants: initializers by name; floats as float32.
        input_name, input_shape: of the one input; the batch counts 1.
        input_type: of the input, where it is stated: "UINT8", "INT8", "BIPOLAR".
        outputs: names of tensors.
        opset: of the standard operators.
    """

    nodes: tuple[Node, ...]
    constants: dict[str, Array]
    input_name: str
    input_shape: tuple[int, ...]
    input_type: str | None
    outputs: tuple[str, ...]
    opset: int


def read_graph(path: Path) -> Graph:
    """Reads the graph in an .onnx file.

    Raises:
        FormatError: the file is damaged, or no ONNX model.
        NetworkError: an operator or an input that no network here can have.
        QnnError: the package onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise QnnError(
            "reading .onnx files needs the package onnx: pip install 'qnn[qonnx]'"
        ) from None
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FormatError(f"{path}: larger than any network here")
        model: Any = onnx.ModelProto()
        model.ParseFromString(path.read_bytes())
        graph = model.graph
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from None
    except DecodeError:
        raise FormatError(f"{path}: truncated, or not an .onnx file") from None
    if not graph.node or not graph.output:
        raise FormatError(f"{path}: it holds no ONNX graph; name the .onnx file of a network")
    if any(isinstance(text, bytes) for text in _texts(graph)):  # as protobuf gives what is no text
        raise FormatError(f"{path}: damaged; a name in it is no text")
    if graph.sparse_initializer:
        raise FormatError(f"{path}: it has sparse tensors; export it with dense ones")
    versions = {one.domain: one.version for one in model.opset_import}
    nodes = _needed([_node(path, proto, versions) for proto in graph.node], graph.output)
    types = {t.name: t.data_type for t in graph.initializer} | {
        proto.output[0]: attribute.t.data_type
        for proto in graph.node
        for attribute in proto.attribute
        if proto.op_type == "Constant" and attribute.name == "value" and proto.output
    }
    read = {name for node in nodes for name in node.inputs}
    constants = {t.name: _tensor(path, t) for t in graph.initializer if t.name in read}
    inputs = [i for i in graph.input if i.name not in constants and i.name in read]
    if len(inputs) != 1:
        raise FormatError(f"{path}: its graph has {len(inputs)} inputs; export it with one")
    annotations = {
        annotation.tensor_name: {e.key: e.value for e in annotation.quant_parameter_tensor_names}
        for annotation in graph.quantization_annotation
    }
    stated = annotations.get(inputs[0].name, {}).get("finn_datatype")
    kind = inputs[0].type.tensor_type
    shape, batch = _input_shape(path, inputs[0].name, kind.shape.dim)
    for node in nodes:
        if node.op == "QuantizeLinear":
            stated_type = types.get(node.inputs[2]) if len(node.inputs) > 2 else None
            node.attributes["output_type"] = stated_type or node.attributes.get("output_dtype")
        elif node.op == "Reshape" and batch > 1:
            node.attributes["batch"] = batch
    return Graph(
        nodes=nodes,
        constants=constants,
        input_name=inputs[0].name,
        input_shape=shape,
        input_type=WHOLE_TYPES.get(kind.elem_type, stated),
        outputs=tuple(output.name for output in graph.output),
        opset=max((o.version for o in model.opset_import if o.domain in STANDARD), default=1),
    )


def _texts(graph: Any) -> Iterator[str | bytes]:
    """Every name that is read."""
    for node in graph.node:
        yield from (node.op_type, node.name, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
        yield from (attribute.t.name for attribute in node.attribute)
    yield from (item.name for item in (*graph.input, *graph.output, *graph.initializer))
    for tensor in graph.initializer:
        yield from (text for entry in tensor.external_data for text in (entry.key, entry.value))


def _needed(nodes: list[Node], outputs: Any) -> tuple[Node, ...]:
    """Those that the outputs depend on, in the order of the file."""
    makers = {name: node for node in nodes for name in node.outputs if name}
    waiting, needed = [output.name for output in outputs], set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node not in needed:
            needed.add(node)
            waiting.extend(node.inputs)
    return tuple(node for node in nodes if node in needed)


def _node(path: Path, proto: Any, versions: Mapping[str, int]) -> Node:
    from onnx import AttributeProto, helper

    outputs = tuple(proto.output)
    name = proto.name or next(filter(None, outputs), "without a name")
    attributes = {}
    for attribute in proto.attribute:
        if attribute.name not in _TYPES:
            continue
        if attribute.type != getattr(AttributeProto, _TYPES[attribute.name]):
            raise FormatError(
                f"{path}: node {name!r} has an attribute {attribute.name!r} of another type than "
                f"{_TYPES[attribute.name]}"
            )
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        elif attribute.type == attribute.TENSOR:
            value = _tensor(path, value)
        attributes[attribute.name] = value
    if proto.domain == CHANNELS_LAST:
        attributes["channels_last"] = True
    if proto.op_type == "Trunc":
        attributes["version"] = versions.get(proto.domain, 1)
    op = proto.op_type if proto.op_type.isprintable() else repr(proto.op_type)
    node = Node(op, name, tuple(proto.input), outputs, attributes)
    if proto.domain not in (*STANDARD, *QUANTISED, CHANNELS_LAST):
        raise node.refuse(
            f"operators of domain {proto.domain!r} are unknown here; known are standard ones and "
            f"those of {', '.join((*QUANTISED, CHANNELS_LAST))}: convert it to those"
        )
    return node


def _input_shape(path: Path, name: str, dims: Any) -> tuple[tuple[int, ...], int]:
    """Of one array, its batch counting 1; and the batch that is stated, 0 for any."""
    shape = tuple(int(dim.dim_value) for dim in dims)
    if len(shape) < 2 or shape[0] < 0 or min(shape[1:]) < 1:
        raise FormatError(
            f"{path}: its input {name!r} has the shape {shape}; export it with a batch first and "
            "all other sides fixed"
        )
    if math.prod(shape[1:]) > MAX_MAP:
        raise FormatError(f"{path}: its input {name!r} is larger than any picture here")
    return (1, *shape[1:]), shape[0]


def _tensor(path: Path, proto: Any) -> Array:
    """A tensor of the file or beside it, checked against its own size."""
    from onnx import TensorProto, helper, numpy_helper

    where = f"{path}: tensor {proto.name!r}"
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(proto.data_type))
    except (KeyError, ValueError, TypeError):
        raise FormatError(f"{where} is of an unknown type") from None
    if dtype.name not in _DTYPES:
        raise FormatError(f"{where} is of type {dtype.name}; export it as float32")
    count = math.prod(proto.dims)
    if min(proto.dims, default=1) < 0 or count * dtype.itemsize > MAX_FILE_BYTES:
        raise FormatError(f"{where} has the impossible shape {tuple(proto.dims)}")
    if proto.data_location == TensorProto.EXTERNAL:
        if dtype.name in _SMALL:
            raise FormatError(f"{where} is of type {dtype.name} and kept outside; keep it inside")
        data = _external(path, where, proto, count * dtype.itemsize)
        array = np.frombuffer(data, dtype.newbyteorder("<")).reshape(tuple(proto.dims))
    else:
        try:
            array = numpy_helper.to_array(proto)
        except (ValueError, TypeError):
            raise FormatError(f"{where} is truncated") from None
    if array.shape != tuple(proto.dims):
        raise FormatError(f"{where} is truncated")
    if dtype.name in _SMALL:
        return array.astype(np.int8)
    return array.astype(np.float32 if dtype.kind == "f" else dtype)


def _external(path: Path, where: str, proto: Any, size: int) -> bytes:
    entries = {entry.key: entry.value for entry in proto.external_data}
    folder, location = path.parent.resolve(), entries.get("location", "")
    try:
        target = (folder / location).resolve()
        inside = target.is_relative_to(folder) and target.is_file()
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", str(size)))
    except (ValueError, OSError, RuntimeError):
        raise FormatError(
            f"{where} is kept in {location[:80]!r}, which is no place for it"
        ) from None
    if not inside:
        raise FormatError(
            f"{where} is kept in {location!r}, which is no file below the directory of the model"
        )
    if offset < 0 or length != size:
        raise FormatError(f"{where} does not fit the {length} bytes at {offset} of {location!r}")
    try:
        with enough_for(target), target.open("rb") as reader:
            reader.seek(offset)
            data = drain(reader.read, size)
    except OSError as error:
        raise FormatError(f"{target}: cannot be read ({error.strerror or error})") from None
    if len(data) != size:
        raise FormatError(f"{where} is truncated: {target} is too short")
    return data
