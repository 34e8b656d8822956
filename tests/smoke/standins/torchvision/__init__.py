"""Stands in for torchvision: nms by its definition, roi_align as linear interpolation at the bins' centres."""

import types

import numpy as np
from torch import Tensor

__version__ = "0.26.0+cu130"


def _nms(boxes, scores, threshold):
    boxes_, kept = boxes.array.astype(float), []
    areas = np.prod(boxes_[:, 2:] - boxes_[:, :2], axis=1)
    for one in np.argsort(-scores.array, kind="stable"):
        low, high = np.maximum(boxes_[one, :2], boxes_[kept, :2]), np.minimum(boxes_[one, 2:], boxes_[kept, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        if not (common > threshold * (areas[one] + areas[kept] - common)).any():
            kept.append(int(one))
    return Tensor(np.array(kept), boxes.device.type)


def _roi_align(image, rois, output_size, sampling_ratio, aligned):
    _, left, top, right, bottom = rois.array[0]
    rows, columns = output_size
    y = top + (np.arange(rows) + 0.5) * (bottom - top) / rows - 0.5
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns - 0.5
    plane = image.array[0, 0]
    middle = np.stack([np.interp(x, np.arange(plane.shape[1]), row) for row in plane])
    found = np.stack([np.interp(y, np.arange(plane.shape[0]), column) for column in middle.T], axis=1)
    return Tensor(found[None, None], image.device.type)


ops = types.SimpleNamespace(nms=_nms, roi_align=_roi_align)
