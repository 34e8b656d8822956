"""Stands in for pytorch3d.ops."""

from types import SimpleNamespace

import torch

from pytorch3d import _C  # noqa: F401


def knn_points(first, second, K):
    nearest = torch.cdist(first.double(), second.double()).square().topk(K, largest=False)
    return SimpleNamespace(dists=nearest.values, idx=nearest.indices)
