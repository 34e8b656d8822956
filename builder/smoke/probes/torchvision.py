"""torchvision's compiled nms and roi_align. Argument: cpu or cuda."""

from __future__ import annotations

import json
import sys

import numpy as np
import torch
import torchvision

device = sys.argv[1]
random = np.random.RandomState(0)


def put(values: object) -> torch.Tensor:
    """Float32 values on the device."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(device)


def many() -> torch.Tensor:
    """The boxes that are kept of 300; whole numbers and a threshold of 1/2 leave rounding no say."""
    corners = random.randint(0, 80, (300, 2))
    boxes = np.concatenate([corners, corners + random.randint(5, 40, (300, 2))], axis=1)
    return torchvision.ops.nms(put(boxes), put(random.permutation(300) / 300), 0.5)


boxes = put([[6, 3, 8, 7], [3, 6, 9, 11], [3, 7, 10, 12], [1, 4, 13, 7]])
kept = torchvision.ops.nms(boxes, put([0.6, 0.9, 0.7, 0.2]), 0.3)
rows, columns = np.mgrid[0:32, 0:48]
ramp = put(2 * columns + 3 * rows)[None, None]
aligned = torchvision.ops.roi_align(ramp, put([[0, 4, 6, 28, 22]]), output_size=(4, 6), sampling_ratio=2, aligned=True)
print(
    json.dumps(
        {
            "version": torchvision.__version__,
            "device": aligned.device.type,
            "kept": kept.tolist(),
            "kept_of_many": many().tolist(),
            "roi_align": aligned[0, 0].tolist(),
        }
    )
)
