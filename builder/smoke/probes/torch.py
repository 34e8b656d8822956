"""Which torch this is, and how far its matrix product and convolution are from double precision.

Argument: cpu or cuda. `error` is the largest of |result - exact| / (sum of |a||b| over the products of an element):
rounding is bounded as a part of that sum, whatever the element's own value.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import torch

PRODUCTS = {"matmul": 64, "conv": 4 * 9}  # products per element: few, so that lost bits stand out of rounding
device = sys.argv[1]
random = np.random.RandomState(0)


def convolved(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A 3 x 3 convolution with one pixel of padding, in numpy."""
    rows, columns = image.shape[2:]
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, :, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    return np.einsum("knchw,ock->nohw", np.stack(shifted), kernel.reshape(*kernel.shape[:2], 9))


def error(operation: str) -> dict[str, object]:
    """Run one operation on the device and compare it with numpy in double precision."""
    shapes = {"matmul": ((128, 64), (64, 96)), "conv": ((2, 4, 24, 20), (16, 4, 3, 3))}[operation]
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    first, second = (torch.from_numpy(array).to(device) for array in (a, b))
    if operation == "matmul":
        result, exact = first @ second, np.matmul
    else:
        result, exact = torch.nn.functional.conv2d(first, second, padding=1), convolved
    wide = a.astype(np.float64), b.astype(np.float64)
    difference = abs(result.cpu().numpy() - exact(*wide)) / exact(abs(wide[0]), abs(wide[1]))
    return {"error": float(difference.max()), "products": PRODUCTS[operation], "device": result.device.type}


def linalg() -> dict[str, object]:
    """How far torch.linalg's solution of a small well-conditioned system is from the exact one, or why not."""
    matrix = random.standard_normal((3, 16, 16)) + 16 * np.eye(16)
    exact = random.standard_normal((3, 16, 2))
    first, second = (torch.from_numpy(array).to(device) for array in (matrix, matrix @ exact))
    try:
        found = torch.linalg.solve(first, second).cpu().numpy()
    except RuntimeError as error:  # its library may hold no code for this GPU
        return {"error": None, "failed": str(error)}
    return {"error": float(abs(found - exact).max() / abs(exact).max()), "failed": ""}


def errors(tf32: bool) -> dict[str, object]:
    """Both operations, with TF32 allowed or not."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    return {operation: error(operation) for operation in PRODUCTS}


bridge = torch.from_numpy(np.arange(6.0)).numpy()
figures = {
    "version": torch.__version__,
    "cuda": torch.version.cuda,
    "architectures": (getattr(torch._C, "_cuda_getArchFlags", str)() or "").split(),  # none for the CPU
    "cudnn": torch.backends.cudnn.version(),
    "through_numpy": bridge.tolist(),
    "fp32": errors(False),
    "linalg": linalg(),
}
if device == "cuda":
    figures["tf32"] = errors(True)
    figures["capability"] = ".".join(map(str, torch.cuda.get_device_capability()))
print(json.dumps(figures))
