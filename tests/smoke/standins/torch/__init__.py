"""Stands in for torch: tensors are numpy arrays, and "cuda" is a word. Right, until a test adds a line to it."""

import ctypes
import getpass
import os
import types
from pathlib import Path

import numpy as np

__version__ = "2.11.0+cu130"
version = types.SimpleNamespace(cuda="13.0")
backends = types.SimpleNamespace(
    cuda=types.SimpleNamespace(matmul=types.SimpleNamespace(allow_tf32=False)),
    cudnn=types.SimpleNamespace(allow_tf32=False, version=lambda: 91900),
)
linalg = types.SimpleNamespace(solve=lambda a, b: Tensor(np.linalg.solve(a.array, b.array), a.device.type))
manual_seed = np.random.seed
cuda = types.SimpleNamespace(get_device_capability=lambda: (9, 0))
_C = types.SimpleNamespace(_cuda_getArchFlags=lambda: "sm_75 sm_80 sm_90 sm_120")
hub = types.SimpleNamespace(get_dir=lambda: str(Path(os.environ.get("TORCH_HOME") or "/root/.cache/torch", "hub")))
_libraries = [ctypes.CDLL(f"/opt/standin/lib{name}") for name in ("cudnn.so.9", "cublas.so.13", "cudart.so.13")]


class Tensor:
    """An array, where it is, and how it came to be: back() gives gradients to what it was made of."""

    def __init__(self, array, where="cpu", back=None):
        self.array, self.device, self.back, self.grad = np.asarray(array), types.SimpleNamespace(type=where), back, None
        self.shape = self.array.shape

    def to(self, where):
        return Tensor(self.array, where, self.back)

    def cuda(self):
        return self.to("cuda")

    def cpu(self):
        return self.to("cpu")

    def detach(self):
        return self

    def requires_grad_(self):
        return self

    def numpy(self):
        return self.array

    def tolist(self):
        return self.array.tolist()

    def item(self):
        return self.array.item()

    def sum(self):
        return Tensor(self.array.sum(), self.device.type, self.back)

    def backward(self):
        self.back()

    def __getitem__(self, key):
        return Tensor(self.array[key], self.device.type)

    def __matmul__(self, other):
        return Tensor(self.array @ other.array, self.device.type)


def from_numpy(array):
    return Tensor(array)


def _conv2d(image, kernel, padding):
    padded = np.pad(image.array, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(2, 3))
    return Tensor(np.einsum("nchwij,ocij->nohw", windows, kernel.array), image.device.type)


class _SGD:
    def __init__(self, parameters, lr):
        getpass.getuser()  # as torch 2.11 does: torch/_dynamo/config.py
        self.parameters, self.lr = parameters, lr

    def step(self):
        for one in self.parameters:
            one.array = one.array - self.lr * one.grad.array


optim = types.SimpleNamespace(SGD=_SGD)


def _constant(tensor, value):
    tensor.array = np.full(tensor.shape, value, dtype=np.float32)


nn = types.SimpleNamespace(
    functional=types.SimpleNamespace(conv2d=_conv2d), init=types.SimpleNamespace(constant_=_constant)
)
