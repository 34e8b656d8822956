"""Run a MatMul and a Conv model on one execution provider, and compare with numpy.

Arguments: execution provider, relative and absolute tolerance.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort

from builder.inside.sent.onnx_model import model as onnx_model
from builder.inside.sent.onnx_model import node

SHAPES = {"MatMul": ([4, 8], [8, 3], [4, 3]), "Conv": ([1, 3, 8, 8], [4, 3, 3, 3], [1, 4, 8, 8])}


def model(operator: str) -> bytes:
    """A model of one node with inputs a and b and output y."""
    first, second, result = SHAPES[operator]
    return onnx_model([node(operator, "ab", "y")], {"a": first, "b": second}, "y", result)


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
