"""Whether ONNX Runtime really runs a Conv and a MatMul on an execution provider, with no fallback to the CPU.

Argument: the execution provider. Prints one JSON document; what ONNX Runtime itself says goes to stderr. All inputs
are ones, so that the result is known exactly: a 3x3 kernel over 3 channels, padded, sums 27 inside, 18 at an edge and
12 in a corner; a row of eight then sums 12 + 6 * 18 + 12 = 132 at the top and bottom and 18 + 6 * 27 + 18 = 198
between. No profile is written.
"""

from __future__ import annotations

# ruff: noqa: T201
import json
import sys

sys.path[:] = [entry for entry in sys.path if entry]

import numpy as np  # noqa: E402
import onnxruntime as ort  # noqa: E402

from builder.inside.sent.onnx_model import model, node  # noqa: E402

INPUTS = {"x": [1, 3, 8, 8], "w": [4, 3, 3, 3], "m": [8, 8]}
# y = MatMul(Conv(x, w, padded by 1), m)
MODEL = model([node("Conv", "xw", "c"), node("MatMul", "cm", "y")], INPUTS, "y", [1, 4, 8, 8])


def run(provider: str) -> dict[str, object]:
    """Create the session and run it once; "error" where either fails."""
    options = ort.SessionOptions()
    if provider != "CPUExecutionProvider":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = ort.InferenceSession(MODEL, options, providers=[provider])
        result = session.run(None, {name: np.ones(shape, np.float32) for name, shape in INPUTS.items()})[0]
    except Exception as error:
        return {"providers": [], "right": False, "error": f"{type(error).__name__}: {str(error)[:1500]}"}
    wanted = np.full((1, 4, 8, 8), 198.0)
    wanted[:, :, [0, 7], :] = 132.0
    return {"providers": session.get_providers(), "right": bool((result == wanted).all()), "error": ""}


found = run(sys.argv[1])
print(json.dumps(dict(found, provider=sys.argv[1], version=ort.__version__, available=ort.get_available_providers())))
