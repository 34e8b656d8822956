"""The perceptual distance of an image to itself and to another. Arguments: cpu or cuda, the backbone's file name.

First with a random backbone under the heads that the package holds itself, then with the trained backbone, which is
read from torch.hub's folder (TORCH_HOME); where it is not, that is not tried.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import lpips
import numpy as np
import torch

device, name = sys.argv[1:]
weights = Path(torch.hub.get_dir(), "checkpoints", name)
random = np.random.RandomState(0)
images = [random.uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32) for _ in range(2)]
first, second = (torch.from_numpy(image).to(device) for image in images)


def distances(**backbone: bool) -> dict[str, float]:
    """Of the first image to itself and to the second."""
    model = lpips.LPIPS(net="alex", verbose=False, **backbone).to(device)
    found = {"to_itself": model(first, first), "to_another": model(first, second)}
    return {key: float(value.detach().cpu().numpy().item()) for key, value in found.items()}


torch.manual_seed(0)
figures: dict[str, object] = {
    "random": distances(pnet_rand=True),
    "weights": str(weights),
    "there": weights.is_file(),
    "set": bool(os.environ.get("TORCH_HOME")),
}
if weights.is_file():
    figures["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    figures.update(distances())
print(json.dumps(figures))
