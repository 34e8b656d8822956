"""Layers and parts as rectangles whose area is their size, laid out by squarify. No IO here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from squarify import squarify

from builder.report.sizes import Layer, Part

_MOST = 40  # rectangles of a layer; what comes after the largest is one more: nobody sees, or hits, what is smaller
_GAP, _HEAD = 6.0, 22.0  # around a layer, and above its parts for its name
_COLOURS = 8


@dataclass(frozen=True)
class Box:
    """A rectangle. title: what it is, whole. lines: what of that fits into it. colour: the number of its class."""

    x: float
    y: float
    width: float
    height: float
    title: str
    lines: tuple[str, ...]
    colour: int
    head: bool = False


@dataclass(frozen=True)
class Picture:
    """Boxes in a frame of this width and height, in CSS pixels of the screen that it is for."""

    width: int
    height: int
    boxes: tuple[Box, ...]


def draw(layers: Sequence[Layer], width: int, height: int) -> Picture:
    """A picture of layers, the largest first."""
    boxes: list[Box] = []
    frames = _laid([layer.size for layer in layers], 0, 0, width, height)
    for number, (layer, frame) in enumerate(zip(layers, frames, strict=True)):
        boxes += _layer(layer, frame, number % _COLOURS)
    return Picture(width, height, tuple(boxes))


def _layer(layer: Layer, frame: tuple[float, float, float, float], colour: int) -> list[Box]:
    x, y, width, height = frame
    x, y, width, height = x + _GAP / 2, y + _GAP / 2, max(width - _GAP, 1), max(height - _GAP, 1)
    whole = f"{layer.name}: {spoken(layer.size)}"
    head = _HEAD if len(layer.parts) > 1 and height > 3 * _HEAD and width > 60 else 0.0
    name = (_fit(whole, width - 8, 12),) if head else ()
    boxes = [Box(*_rounded(x, y, width, height), whole, name, colour, head=True)]
    parts = _merged(layer.parts)
    inner = _laid([part.size for part in parts], x, y + head, width, height - head)
    for part, place in zip(parts, inner, strict=True):
        boxes.append(_part(part, layer, place, colour))
    return boxes


def _part(part: Part, layer: Layer, place: tuple[float, float, float, float], colour: int) -> Box:
    x, y, width, height = place
    x, y, width, height = x + 1, y + 1, max(width - 2, 0.5), max(height - 2, 0.5)
    label = f"{part.name} {part.version}".strip()
    name, size = _fit(part.name, width - 8, 12), spoken(part.size)
    lines = [name, *([size] if _fit(size, width - 8, 12) == size else [])] if name else []
    lines = lines[: int((height - 4) // 16)]
    return Box(*_rounded(x, y, width, height), f"{layer.name} / {label}: {spoken(part.size)}", tuple(lines), colour)


def _merged(parts: Sequence[Part]) -> list[Part]:
    """The largest parts, and one for the rest."""
    rest = parts[_MOST:]
    more = [Part(f"{len(rest)} smaller ones", "", sum(part.size for part in rest))] if rest else []
    return sorted([*parts[:_MOST], *more], key=lambda part: -part.size)


def _laid(
    sizes: Sequence[int], x: float, y: float, width: float, height: float
) -> list[tuple[float, float, float, float]]:
    """A rectangle for each size, the largest first, which fill the frame."""
    whole = sum(sizes)
    if not whole:
        return []
    areas = [max(size * width * height / whole, 1e-6) for size in sizes]
    found = squarify(areas, x, y, width, height)
    return [(one["x"], one["y"], one["dx"], one["dy"]) for one in found]


def _fit(text: str, width: float, size: int) -> str:
    """The text, as far as it fits: letters are 0.58 of their height wide at most, on the average of a name."""
    room = int(width / (0.58 * size))
    if len(text) <= room:
        return text
    return f"{text[: room - 1]}…" if room >= 5 else ""


def _rounded(*values: float) -> tuple[float, float, float, float]:
    x, y, width, height = (round(value, 1) for value in values)
    return x, y, width, height


def spoken(size: float) -> str:
    """Bytes as people read them (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"
