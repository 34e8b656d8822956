"""Stands in for pytorch3d.ops."""

from types import SimpleNamespace

import numpy as np
from torch import Tensor


def knn_points(first, second, K):
    one, other = first.array[0], second.array[0]
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    nearest, where = np.argsort(squared, axis=1)[:, :K], first.device.type
    found = np.take_along_axis(squared, nearest, axis=1)
    return SimpleNamespace(dists=Tensor(found[None], where), idx=Tensor(nearest[None], where))
