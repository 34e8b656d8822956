"""Stands in for diff_gaussian_rasterization: only the middle pixel is painted, from front to back."""

from typing import NamedTuple

import numpy as np
from torch import Tensor


class GaussianRasterizationSettings(NamedTuple):
    image_height: int
    image_width: int
    tanfovx: float
    tanfovy: float
    bg: Tensor
    scale_modifier: float
    viewmatrix: Tensor
    projmatrix: Tensor
    sh_degree: int
    campos: Tensor
    prefiltered: bool
    debug: bool


class GaussianRasterizer:
    def __init__(self, raster_settings):
        self.size = raster_settings.image_height

    def __call__(self, means3D, means2D, opacities, colors_precomp, scales, rotations):
        opacity, left, depth = opacities.array[:, 0], 1.0, 0.0
        for z, part in zip(means3D.array[:, 2], opacity, strict=True):
            depth += left * part * z
            left *= 1 - part

        def image(value, channels=1):
            plane = np.zeros((channels, self.size, self.size))
            plane[:, self.size // 2, self.size // 2] = value
            return Tensor(plane, "cuda", back)

        def back():
            for one in (means3D, opacities, scales, rotations):
                one.grad = Tensor(np.ones(one.shape))

        return image(1 - left, 3), Tensor(np.full(len(opacity), 3)), image(depth), image(1 - left)
