"""Stands in for X-Pose's compiled module: a bilinear sample as a sum over all pixels; gradients by differences."""

import sys

import numpy as np

if "torch" not in sys.modules:  # the real one is linked to what torch loads
    raise ImportError("libc10.so: cannot open shared object file: No such file or directory")
from torch import Tensor

__file__ = "/opt/standin/code"


def _forward(value, shapes, starts, places, weights):
    out = np.zeros((*weights.shape[:3], value.shape[-1]))
    for index, ((height, width), start) in enumerate(zip(shapes, starts, strict=True)):
        level = value[:, start : start + height * width].reshape(len(value), height, width, *value.shape[2:])
        x, y = places[..., index, :, 0] * width - 0.5, places[..., index, :, 1] * height - 0.5
        across = np.clip(1 - abs(x[..., None] - np.arange(width)), 0, None)
        down = np.clip(1 - abs(y[..., None] - np.arange(height)), 0, None)
        out += np.einsum("nqmp,nqmpy,nqmpx,nyxmd->nqmd", weights[..., index, :], down, across, level)
    return out.reshape(*out.shape[:2], -1)


def ms_deform_attn_forward(value, shapes, starts, places, weights, step):
    arrays = [one.array for one in (value, shapes, starts, places, weights)]
    return Tensor(_forward(*arrays).astype(value.array.dtype), "cuda")


def ms_deform_attn_backward(value, shapes, starts, places, weights, onto, step):
    arrays = [one.array.astype(float) if one.array.dtype.kind == "f" else one.array for one in (value, shapes, starts)]
    arrays += [one.array.astype(float) for one in (places, weights)]
    gradients = []
    for which in (0, 3, 4):
        gradient = np.zeros(arrays[which].shape)
        for at in np.ndindex(*gradient.shape):
            sides = []
            for step_ in (1e-6, -1e-6):
                moved = [array.copy() for array in arrays]
                moved[which][at] += step_
                sides.append((_forward(*moved) * onto.array).sum())
            gradient[at] = (sides[0] - sides[1]) / 2e-6
        gradients.append(Tensor(gradient, "cuda"))
    return gradients
