"""Stands in for gridencoder on a grid of one constant."""

import numpy as np
from torch import Tensor


class GridEncoder:
    def __init__(self, input_dim, num_levels, level_dim, base_resolution, log2_hashmap_size, desired_resolution):
        self.embeddings, self.levels = Tensor(np.zeros((100, level_dim))), num_levels

    def cuda(self):
        return self

    def __call__(self, points, bound):
        inside = (abs(points.array) <= bound).all(axis=1)[:, None]

        def back():
            self.embeddings.grad = Tensor(np.full(self.embeddings.shape, inside.sum() * self.levels / 100))

        return Tensor(np.where(inside, self.embeddings.array[0, 0], 0) * np.ones((1, self.levels)), "cuda", back)
