"""Run a MatMul and a Conv model on one execution provider, and compare with numpy.

Arguments: execution provider, relative and absolute tolerance. The two models are ONNX protobuf
(opset 13, IR 8) written by hand, as the image need not have the onnx package; field numbers are those of onnx.proto.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort

SHAPES = {"MatMul": ([4, 8], [8, 3], [4, 3]), "Conv": ([1, 3, 8, 8], [4, 3, 3, 3], [1, 4, 8, 8])}


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


def tensor(field: int, name: str, shape: list[int]) -> bytes:
    """A ValueInfoProto of float32 elements (element type 1)."""
    dimensions = [block(1, number(1, size)) for size in shape]
    return block(field, block(1, name.encode()), block(2, block(1, number(1, 1), block(2, *dimensions))))


def model(operator: str) -> bytes:
    """A ModelProto of one node with inputs a and b and output y; Conv pads by 1 on each side."""
    pads = block(5, block(1, b"pads"), *(number(8, 1) for _ in range(4)), number(20, 7)) if operator == "Conv" else b""
    node = block(
        1, block(1, b"a"), block(1, b"b"), block(2, b"y"), block(3, b"node"), block(4, operator.encode()), pads
    )
    first, second, result = SHAPES[operator]
    graph = block(7, node, block(2, b"smoke"), tensor(11, "a", first), tensor(11, "b", second), tensor(12, "y", result))
    return number(1, 8) + graph + block(8, block(1, b""), number(2, 13))


def expected(operator: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What numpy makes of it, in double precision."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    if operator == "MatMul":
        return a @ b
    padded = np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros(SHAPES["Conv"][2])
    for row in range(8):
        for column in range(8):
            out[0, :, row, column] = (b * padded[0, :, row : row + 3, column : column + 3]).sum(axis=(1, 2, 3))
    return out


def run(operator: str, provider: str, rtol: float, atol: float) -> dict[str, object]:
    """Create the session with no fallback to the CPU, run it, and read the kernels from its profile."""
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = f"{folder.name}/{operator}"
    if provider != "CPUExecutionProvider":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    session = ort.InferenceSession(model(operator), options, providers=[provider])
    random = np.random.RandomState(0)
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in SHAPES[operator][:2])
    result = session.run(None, {"a": a, "b": b})[0]
    events = json.loads(Path(session.end_profiling()).read_text())
    wanted = expected(operator, a, b)
    difference = abs(result.astype(np.float64) - wanted)
    kernels = [event["args"] for event in events if event.get("cat") == "Node" and "op_name" in event.get("args", {})]
    return {
        "elements": int(result.size),
        "shape": list(result.shape),
        "difference": float(difference.max()),
        "beyond": int((difference > atol + rtol * abs(wanted)).sum()),
        "session_providers": session.get_providers(),
        "kernels": sorted({f"{one['op_name']} on {one['provider']}" for one in kernels if one.get("provider")}),
    }


provider, rtol, atol = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
folder = tempfile.TemporaryDirectory()  # removed at exit
figures = {operator: run(operator, provider, rtol, atol) for operator in SHAPES}
print(json.dumps({"version": ort.__version__, "provider": provider, "rtol": rtol, "atol": atol, **figures}))
