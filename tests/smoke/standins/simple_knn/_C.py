"""Stands in for the compiled module; its code is in another file."""

import sys

import numpy as np

if "torch" not in sys.modules:  # the real one is linked to what torch loads
    raise ImportError("libc10.so: cannot open shared object file: No such file or directory")
from torch import Tensor

__file__ = "/opt/standin/code"


def distCUDA2(points):
    squared = ((points.array[:, None] - points.array[None]) ** 2).sum(axis=-1)
    return Tensor(np.sort(squared, axis=1)[:, 1:4].mean(axis=1), "cuda")
