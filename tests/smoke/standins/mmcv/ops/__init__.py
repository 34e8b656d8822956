"""Stands in for mmcv.ops, by the stand-in of torchvision and by OpenCV."""

import math

import cv2
import numpy as np
import torchvision
from torch import Tensor

from mmcv import _ext  # noqa: F401


def nms(boxes, scores, iou_threshold, offset=0):
    kept = torchvision.ops.nms(boxes, scores, iou_threshold)
    return boxes[kept.array], kept


def box_iou_rotated(first, second, mode="iou", aligned=False):
    overlaps = []
    for one, other in zip(first.array.astype(float), second.array.astype(float), strict=True):
        rectangles = [(tuple(box[:2]), tuple(box[2:4]), math.degrees(box[4])) for box in (one, other)]
        _, corners = cv2.rotatedRectangleIntersection(*rectangles)
        common = 0.0 if corners is None else cv2.contourArea(cv2.convexHull(corners))
        overlaps.append(common / (one[2] * one[3] + other[2] * other[3] - common))
    return Tensor(np.array(overlaps), first.device.type)
