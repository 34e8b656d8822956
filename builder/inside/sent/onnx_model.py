"""Small ONNX models (opset 13, IR 8) as protobuf written by hand, as a target need not have the onnx package.

Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from typing import Mapping, Sequence  # noqa: UP035 - Python 3.7


def varint(value: int) -> bytes:
    """A protobuf base-128 number."""
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    """A number field."""
    return varint(field << 3) + varint(value)


def block(field: int, *parts: bytes) -> bytes:
    """A text or message field."""
    data = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(field: int, name: str, shape: Sequence[int]) -> bytes:
    """A ValueInfoProto of float32 elements (element type 1)."""
    dimensions = [block(1, number(1, size)) for size in shape]
    return block(field, block(1, name.encode()), block(2, block(1, number(1, 1), block(2, *dimensions))))


def node(operator: str, inputs: str, output: str) -> bytes:
    """A NodeProto, whose inputs and output have names of one letter; a Conv pads by 1 on each side."""
    pads = block(5, block(1, b"pads"), *(number(8, 1) for _ in range(4)), number(20, 7)) if operator == "Conv" else b""
    names = [block(1, name.encode()) for name in inputs]
    return block(1, *names, block(2, output.encode()), block(3, operator.encode()), block(4, operator.encode()), pads)


def model(nodes: Sequence[bytes], inputs: Mapping[str, Sequence[int]], output: str, shape: Sequence[int]) -> bytes:
    """A ModelProto of nodes, with the names and shapes of its inputs and of its output."""
    given = [tensor(11, name, size) for name, size in inputs.items()]
    graph = block(7, *nodes, block(2, b"small"), *given, tensor(12, output, shape))
    return number(1, 8) + graph + block(8, block(1, b""), number(2, 13))
