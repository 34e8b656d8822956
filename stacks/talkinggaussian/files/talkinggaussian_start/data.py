"""The data folder that upstream's data_utils/process.py makes, held to what scene/dataset_readers.py will read."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from talkinggaussian_start import windows
from talkinggaussian_start.errors import InputError

FPS = 25  # of the training video and of what synthesize_fuse.py writes
AUDIO = {"deepspeech": "aud_ds.npy", "esperanto": "aud_eo.npy", "hubert": "aud_hu.npy"}
SPLITS = ("transforms_train.json", "transforms_val.json")
COLUMNS = [f" AU{number:02d}_r" for number in (1, 4, 5, 6, 7, 25, 45)]
PER_FRAME = {
    "gt_imgs/{}.jpg": "run data_utils/process.py",
    "ori_imgs/{}.lms": "run data_utils/process.py",
    "parsing/{}.png": "run data_utils/process.py",
    "torso_imgs/{}.png": "run data_utils/process.py",
    "teeth_mask/{}.npy": "run data_utils/easyportrait/create_teeth_mask.py",
}
_MOST = 64 << 20  # bytes of a JSON file; one of 10,000 frames has some 5 MB


def frames(data: Path, split: str) -> list[int]:
    """The numbers of the frames of a split, in its order. Raises InputError where it is not what upstream writes."""
    return _split(data / split)[0]


def _split(path: Path) -> tuple[list[int], tuple[int, int]]:
    """The frames of a split, and the rows and columns of their images."""
    try:
        if path.stat().st_size > _MOST:
            raise ValueError("it is larger than 64 MiB")
        found: dict[str, Any] = json.loads(path.read_text())
        numbers = [frame["img_id"] for frame in found["frames"]]
        if not numbers or not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ValueError("it names no frames")
        size = int(2 * found["cy"]), int(2 * found["cx"])  # process.py writes the middle of the image
    except FileNotFoundError:
        raise InputError(f"{path} is not there", "run data_utils/process.py on the video") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "run data_utils/process.py on the video again") from None
    return numbers, size


def check(data: Path, extractor: str | None) -> list[InputError]:
    """Everything that upstream would stumble on, at most one row per kind of file.

    extractor: whose features of the video's own sound are wanted, None for those of another sound.
    """
    found = _writable(data / "points3d.ply")
    if not (data / "bc.jpg").is_file():
        found.append(InputError(f"{data / 'bc.jpg'} is not there", "run data_utils/process.py on the video"))
    asked: list[int] = []
    for split in SPLITS:
        try:
            asked += frames(data, split)
        except InputError as error:
            found.append(error)
    for pattern, fix in PER_FRAME.items():
        lost = [number for number in asked if not (data / pattern.format(number)).is_file()]
        if lost:
            first = data / pattern.format(lost[0])
            found.append(InputError(f"{len(lost)} of {len(asked)} frames lack their file, {first} first", fix))
    found += _action_units(data / "au.csv", max(asked, default=-1))
    if extractor:
        found += _sound(data, extractor, max(asked, default=-1))
    return found or (_seen(data) if extractor else [])


def _seen(data: Path) -> list[InputError]:
    """What the training frames hold that a training would end in, or never end in, hours later."""
    try:
        numbers, size = _split(data / SPLITS[0])
        seen = [windows.landmarks(data / "ori_imgs" / f"{number}.lms", number) for number in numbers]
        return [*windows.small_lips(seen, size, data), *windows.empty(seen, data / "au.csv")]
    except InputError as error:
        return [error]


def _writable(points: Path) -> list[InputError]:
    """Upstream writes its first points into the data, whatever it does with them."""
    there = points.exists()
    try:
        points.open("ab").close()
        if not there:
            points.unlink()
    except OSError as error:
        problem = f"{points} cannot be written: {error.strerror}"
        return [InputError(problem, "let the folder be written to (no `:ro` where it is mounted)")]
    return []


def _sound(data: Path, extractor: str, last: int) -> list[InputError]:
    """The features of the video's own sound: there, and as long as the video."""
    path, fix = data / AUDIO[extractor], f"make the {extractor} features of the video's sound"
    if extractor == "deepspeech":
        fix += f": run `features {data / 'aud.wav'}`"
        if (data / "aud.npy").is_file():
            fix = f"rename {data / 'aud.npy'}, which is what upstream's process.py leaves"
    try:
        shape = _shape(path)
    except FileNotFoundError:
        return [InputError(f"{path} is not there", fix)]
    except (OSError, ValueError, SyntaxError, KeyError, TypeError) as error:
        return [InputError(f"{path} cannot be read: {error}", fix)]
    # upstream leaves out every frame from the first that is beyond the features on, and says so in one line of many
    if shape[0] < last:
        problem = f"{path} has features for {shape[0]} frames, and the video has {last + 1}"
        return [InputError(problem, "make the features of the whole sound of this video, at 25 frames a second")]
    return []


def _shape(path: Path) -> tuple[int, ...]:
    """What the head of a .npy file says. Raises ValueError for another file, or one of other dimensions than three."""
    with path.open("rb") as file:
        head = re.match(rb"\x93NUMPY(?:\x01\x00..|[\x02\x03]\x00....)(\{.*?\})\s*\n", file.read(1 << 12), re.DOTALL)
    if not head:
        raise ValueError("it is no file of numpy.save")
    shape: tuple[int, ...] = ast.literal_eval(head[1].decode())["shape"]
    if len(shape) != 3:
        raise ValueError(f"it has {len(shape)} dimensions, and features have three: frames, window, values")
    return shape


def _action_units(path: Path, last: int) -> list[InputError]:
    fix = "run OpenFace's FeatureExtraction on the whole video and put its CSV there unchanged"
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            header = file.readline(1 << 16).rstrip("\n").split(",")
            rows = sum(1 for _ in file)
    except OSError:
        return [InputError(f"{path} is not there", fix)]
    # upstream asks for the names as OpenFace writes them, with a space before each
    if lost := [name.strip() for name in COLUMNS if name not in header]:
        return [InputError(f"{path} has no column {', '.join(lost)} (with OpenFace's space before it)", fix)]
    if rows <= last:
        return [InputError(f"{path} has {rows} rows, and frame {last} is asked for", fix)]
    return []
