"""What upstream's trainings look for among the training frames, and would look for without an end or a word.

train_mouth.py and train_face.py draw frames at random until one lies in a window that moves with the iteration. Where
none does, the loop never ends. The figures below are theirs (Fictionarry/TalkingGaussian@9bd34f73).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from talkinggaussian_start.errors import InputError

ITERATIONS = 50000  # arguments/__init__.py
WARM = 3000  # warm_step of both scripts
EVERY = 15  # select_interval of train_face.py
SELECTED = ITERATIONS - 10000  # its mouth_select_iter
LIPS = 31  # pixels: LPIPS' AlexNet halves a smaller box to nothing
_LONGER = "take a longer video, whose mouth opens and whose eyes close and open"


class Frame(NamedTuple):
    """mouth: pixels that it is open. lips: what slices the box about the lips out of rows and columns."""

    number: int
    mouth: int
    lips: tuple[slice, slice]


def landmarks(path: Path, number: int) -> Frame:
    """The mouth and lips of a frame, from its 68 points. Raises InputError where the file holds others."""
    try:
        points = [[float(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
        if len(points) != 68 or any(len(point) != 2 for point in points):
            raise ValueError("it has not 68 points of two numbers")
        rows, columns = [point[1] for point in points], [point[0] for point in points]
        mouth = int(max(rows[60:68])) - int(min(rows[60:68]))
        low, high = int(min(rows[48:60])), int(max(rows[48:60]))
        left, right = int(min(columns[48:60])), int(max(columns[48:60]))
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"{path} cannot be read: {error}", "run data_utils/process.py --task 7 again") from None
    middle, centre, half = (low + high) // 2, (left + right) // 2, max(high - low, right - left) // 2
    return Frame(number, mouth, (slice(middle - half, middle + half), slice(centre - half, centre + half)))


def small_lips(frames: list[Frame], size: tuple[int, int], data: Path) -> list[InputError]:
    """The frames whose lips LPIPS cannot take, after hours of train_face.py. size: rows and columns of the images."""
    bad = []
    for frame in frames:
        sides = [len(range(*cut.indices(length))) for cut, length in zip(frame.lips, size)]  # noqa: B905
        if min(sides) < LIPS:
            bad.append((frame.number, sides))
    if not bad:
        return []
    number, sides = bad[0]
    first = f"frame {number} first: {sides[0]} by {sides[1]} of {size[0]} by {size[1]} pixels"
    problem = f"in {data} the box about the lips has less than {LIPS} pixels in {len(bad)} of {len(frames)} frames"
    return [InputError(f"{problem}, {first}", "crop the video nearer to the face, about 512 by 512 with all of it")]


def empty(frames: list[Frame], au: Path) -> Iterator[InputError]:
    """The windows in which no training frame lies, one row for each kind. au: OpenFace's CSV."""
    blinks, parted, widest = _action_units(au, [frame.number for frame in frames])
    if parted < widest - 1e-9:
        problem = f"train_mouth.py looks for a training frame with AU25_r of {widest:g} or more, and the largest is"
        yield InputError(f"{problem} {parted:g}: {au}", f"{_LONGER} before the last eleventh too")
    yield from _kind("a mouth open by {:.1f} to {:.1f} pixels", _mouths([frame.mouth for frame in frames]))
    yield from _kind("AU45_r (a blink) of {:.2f} to {:.2f}", _blinks(blinks))


def _mouths(found: list[int]) -> Iterator[tuple[int, float, float]]:
    """The windows of train_face.py's first part that are empty: iteration, lower and upper bound."""
    least, most = min(found), max(found)
    start = least + (most - least) * 0.2
    width = (most - start) * 0.2
    for iteration in range(EVERY, WARM, EVERY):
        low = start + 1 / SELECTED * iteration * (most - start)
        if not any(low - width <= one <= low + width for one in found):
            yield iteration, low - width, low + width


def _blinks(found: list[float]) -> Iterator[tuple[int, float, float]]:
    """Those of its second part, as AU45_r, which it takes as half of what is clipped to 2."""
    halves = sorted({min(max(one, 0.0), 2.0) / 2 for one in found})
    for iteration in range(WARM + EVERY, SELECTED, EVERY):
        low = 1 / SELECTED * iteration
        if not any(low - 0.15 <= one <= low + 0.3 for one in halves):
            yield iteration, 2 * (low - 0.15), 2 * (low + 0.3)


def _kind(what: str, missed: Iterator[tuple[int, float, float]]) -> Iterator[InputError]:
    rows = list(missed)
    if rows:
        iteration, low, high = rows[0]
        where = f"train_face.py looks for a training frame with {what.format(low, high)} at iteration {iteration}"
        yield InputError(f"{where}, and without an end, as there is none ({len(rows)} empty windows)", _LONGER)


def _action_units(au: Path, numbers: list[int]) -> tuple[list[float], float, float]:
    """AU45 of each training frame, the largest AU25 of them, and the AU25 that train_mouth.py waits for."""
    try:
        with au.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = [(float(row[" AU25_r"]), float(row[" AU45_r"])) for row in csv.DictReader(file)]
        opened = sorted(row[0] for row in rows)
        # NumPy's percentile: between the two nearest
        place = 0.95 * (len(opened) - 1)
        below, part = opened[int(place)], place - int(place)
        above = opened[min(int(place) + 1, len(opened) - 1)]
        widest = below + (above - below) * part
        mine = [rows[number] for number in numbers]
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise InputError(f"{au} cannot be read: {error}", "put OpenFace's CSV there unchanged") from None
    return [row[1] for row in mine], max(row[0] for row in mine), widest
