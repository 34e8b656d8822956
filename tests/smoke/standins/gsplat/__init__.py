"""Stands in for gsplat: each Gaussian's alpha from its exponent's two eigenvectors, blended from back to front."""

import numpy as np
from torch import Tensor

__version__ = "1.5.3"


def _covariance(quaternion, scale):
    w, *axis = quaternion / np.linalg.norm(quaternion)
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + 2 * w * cross + 2 * cross @ cross  # Rodrigues
    return turn @ np.diag(scale**2) @ turn.T


def rasterization(means, quats, scales, opacities, colors, viewmats, Ks, width, height):
    focal, centre = Ks.array[0][[0, 1], [0, 1]].astype(float), Ks.array[0][:2, 2]
    pixels = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    image, through, painted = np.zeros((height, width, 3)), np.ones((height, width)), {}
    for index in np.argsort(-means.array[:, 2]):
        mean = means.array[index].astype(float)
        slope = np.hstack([np.diag(focal) / mean[2], -(focal * mean[:2] / mean[2] ** 2)[:, None]])
        covariance = _covariance(quats.array[index].astype(float), scales.array[index].astype(float))
        values, vectors = np.linalg.eigh(slope @ covariance @ slope.T + 0.3 * np.eye(2))
        along = (pixels - (focal * mean[:2] / mean[2] + centre)) @ vectors
        alpha = opacities.array[index] * np.exp(-0.5 * (along**2 / values).sum(axis=-1))
        alpha[alpha < 1 / 255] = 0
        image = image * (1 - alpha[..., None]) + alpha[..., None] * colors.array[index]
        through = through * (1 - alpha)
        painted = {other: part * (1 - alpha) for other, part in painted.items()} | {index: alpha}

    def back():
        for one in (means, quats, scales, opacities):
            one.grad = Tensor(np.ones(one.shape))
        sums = [painted[index].sum() for index in range(len(painted))]
        colors.grad = Tensor(np.repeat(np.array(sums)[:, None], 3, axis=1))

    return Tensor(image[None], "cuda", back), Tensor(1 - through[None, :, :, None], "cuda"), {}
