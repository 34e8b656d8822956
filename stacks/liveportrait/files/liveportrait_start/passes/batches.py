"""How many frames a batch has: by the memory that is left, between one and a ceiling."""

from __future__ import annotations

import os
from collections.abc import Callable

from liveportrait_start.memory import VARIABLE, Memory, batch_size, measured
from liveportrait_start.passes.stop import Stop

CALM = 2  # batches without pressure after which it grows again
AT_ONCE = "LIVE_PORTRAIT_FRAMES_AT_ONCE"  # frames that the networks take in one call


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if text and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise Stop(f"{name}={text!r} is no whole number from 1 on; correct it or leave it out")
    return int(text) if text else default


def ceiling() -> int:
    """The user's value, or what the entry point took from the note's table; without either, the table."""
    return _number(VARIABLE, 0) or batch_size(measured().limit)


def at_once() -> int:
    """Frames in one call of the networks; 1 is upstream's, whose result is the same to the byte."""
    return _number(AT_ONCE, 1)


class Batches:
    """The size of the next batch.

    Where memory is short (memory.Memory.short) it is halved; two batches in a row without pressure double it, up to the
    ceiling. An out-of-memory error of the GPU halves it too.
    """

    def __init__(self, most: int, measure: Callable[[], Memory] = measured) -> None:
        self.ceiling = most
        self.size = most
        self.calm = 0
        self.measure = measure

    def next(self) -> int:
        """Look at the memory and give the size of the batch that begins now."""
        if self.measure().short:
            self.calm = 0
            self.size = max(1, self.size // 2)
            return self.size
        self.calm += 1
        if self.calm >= CALM and self.size < self.ceiling:
            self.calm = 0
            self.size = min(self.ceiling, self.size * 2)
        return self.size

    def refused(self, tried: int) -> int:
        """The GPU had no memory for `tried` frames: half of them from now on. Raises Stop where that was one."""
        if tried <= 1:
            raise Stop(
                "the GPU has no memory for a single frame; end what else uses it, or name another with --device-id"
            )
        self.calm = 0
        self.size = min(self.size, tried // 2)
        return self.size


def out_of_memory(error: BaseException) -> bool:
    """Whether it is torch's error of a GPU without memory; by name, as torch need not be here."""
    return type(error).__name__ == "OutOfMemoryError"
