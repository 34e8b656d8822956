"""mmcv's compiled nms and rotated intersection over union. Argument: cpu or cuda."""

from __future__ import annotations

import json
import math
import sys

import mmcv
import numpy as np
import torch
from mmcv.ops import box_iou_rotated, nms

device = sys.argv[1]


def put(values: object) -> torch.Tensor:
    """Float32 values on the device."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(device)


boxes = put([[6, 3, 8, 7], [3, 6, 9, 11], [3, 7, 10, 12], [1, 4, 13, 7]])
_, kept = nms(boxes, put([0.6, 0.9, 0.7, 0.2]), 0.3, 0)
flat, square = [5, 5, 4, 2, 0], [5, 5, 2, 2, 0]  # centre x and y, width, height, angle in radians
pairs = [
    (flat, flat),
    (flat, [5, 5, 4, 2, math.pi / 2]),
    (square, [5, 5, 2, 2, math.pi / 4]),
    (flat, [25, 5, 4, 2, 0.3]),
]
overlaps = box_iou_rotated(put([one for one, _ in pairs]), put([other for _, other in pairs]), aligned=True)
print(
    json.dumps(
        {
            "version": mmcv.__version__,
            "device": overlaps.device.type,
            "kept": kept.cpu().numpy().tolist(),
            "overlaps": overlaps.cpu().numpy().tolist(),
        }
    )
)
