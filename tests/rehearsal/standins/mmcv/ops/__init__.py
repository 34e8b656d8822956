"""Stands in for mmcv.ops, by torchvision and OpenCV, on the CPU."""

import math

import cv2
import numpy as np
import torch
import torchvision

from mmcv import _ext  # noqa: F401


def nms(boxes, scores, iou_threshold, offset=0):
    kept = torchvision.ops.nms(boxes, scores, iou_threshold)
    return boxes[kept], kept


def box_iou_rotated(first, second, mode="iou", aligned=False):
    overlaps = []
    for one, other in zip(first.double().tolist(), second.double().tolist()):  # noqa: B905 - Python 3.8
        rectangles = [(tuple(box[:2]), tuple(box[2:4]), math.degrees(box[4])) for box in (one, other)]
        _, corners = cv2.rotatedRectangleIntersection(*rectangles)
        common = 0.0 if corners is None else cv2.contourArea(cv2.convexHull(corners))
        overlaps.append(common / (one[2] * one[3] + other[2] * other[3] - common))
    return torch.from_numpy(np.array(overlaps))
