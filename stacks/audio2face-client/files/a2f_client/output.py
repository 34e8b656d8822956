"""Frames as lines of JSON or CSV: each line is written whole, at once, and not held back."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Frame:
    """One pose of the face. time_code: seconds from the start of the audio. weights: in the order of the names."""

    number: int
    time_code: float
    weights: tuple[float, ...]


class Sink(Protocol):
    """What takes frames. `begin` comes once, before the first."""

    def begin(self, names: Sequence[str]) -> None:
        """The names of the blendshapes, in the order of every frame's weights."""

    def frame(self, frame: Frame) -> None:
        """The next frame. Returns once it is written."""


class _Lines:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._names: tuple[str, ...] = ()

    def begin(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    def _write(self, line: str) -> None:
        data = memoryview(f"{line}\n".encode())
        while data:
            data = data[os.write(self._descriptor, data) :]


class JsonLines(_Lines):
    """{"frame": 0, "time_code": 0.0, "blendshapes": {NAME: WEIGHT, …}} a line."""

    def frame(self, frame: Frame) -> None:
        """As Sink.frame."""
        weights = dict(zip(self._names, map(_short, frame.weights), strict=True))
        told = {"frame": frame.number, "time_code": _short(frame.time_code), "blendshapes": weights}
        self._write(json.dumps(told, separators=(",", ":"), allow_nan=False))


class Csv(_Lines):
    """A line of names, then a line of numbers for each frame."""

    def begin(self, names: Sequence[str]) -> None:
        """As Sink.begin."""
        super().begin(names)
        self._row(["frame", "time_code", *names])

    def frame(self, frame: Frame) -> None:
        """As Sink.frame."""
        self._row([frame.number, _short(frame.time_code), *map(_short, frame.weights)])

    def _row(self, values: Sequence[object]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(values)
        self._write(text.getvalue())


def _short(value: float) -> float:
    """The weights are 32-bit floats, which have seven digits."""
    return round(value, 6)
