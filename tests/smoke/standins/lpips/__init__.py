"""Stands in for lpips."""

from torch import Tensor


class LPIPS:
    def __init__(self, net, verbose, pnet_rand=False):
        pass

    def to(self, where):
        return self

    def __call__(self, one, other):
        return Tensor(abs(one.array - other.array).mean(), one.device.type)
