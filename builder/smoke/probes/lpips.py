"""The perceptual distance of an image to itself and to another. Arguments: cpu or cuda, the backbone's file name.

The backbone is read from torch.hub's folder (TORCH_HOME); where it is not, nothing is tried.
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
figures: dict[str, object] = {
    "weights": str(weights),
    "there": weights.is_file(),
    "set": bool(os.environ.get("TORCH_HOME")),
}
if weights.is_file():
    model = lpips.LPIPS(net="alex", verbose=False).to(device)
    random = np.random.RandomState(0)
    images = [random.uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32) for _ in range(2)]
    first, second = (torch.from_numpy(image).to(device) for image in images)
    distances = [model(one, other).detach().cpu().numpy() for one, other in ((first, first), (first, second))]
    figures["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    figures["to_itself"], figures["to_another"] = (float(distance.item()) for distance in distances)
print(json.dumps(figures))
