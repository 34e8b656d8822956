"""Stands in for TensorFlow: a tensor is a function of what the session is fed."""

import types
from contextlib import contextmanager, nullcontext

import numpy as np

__version__ = "2.8.0"
linalg = types.SimpleNamespace(matmul=lambda a, b: lambda fed: a(fed) @ b(fed))
nn = types.SimpleNamespace(relu=lambda a: lambda fed: np.maximum(a(fed), 0))
float32 = np.float32


def constant(value):
    return lambda fed: value


def device(name):
    return nullcontext()


class Graph:
    def as_default(self):
        return nullcontext()


def _placeholder(kind, shape):
    def fed_value(fed):
        return fed[fed_value]

    return fed_value


@contextmanager
def _session():
    yield types.SimpleNamespace(run=lambda tensor, fed: tensor(fed))


class _GraphDef:
    def ParseFromString(self, data):
        self.node = [types.SimpleNamespace(name=name) for name in data.decode().split()]


compat = types.SimpleNamespace(v1=types.SimpleNamespace(placeholder=_placeholder, Session=_session, GraphDef=_GraphDef))
