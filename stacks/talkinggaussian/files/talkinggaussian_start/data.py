"""The data folder that upstream's data_utils/process.py makes, held to what scene/dataset_readers.py will read."""

from __future__ import annotations

import json
from pathlib import Path

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
    path = data / split
    try:
        if path.stat().st_size > _MOST:
            raise ValueError("it is larger than 64 MiB")
        numbers = [frame["img_id"] for frame in json.loads(path.read_text())["frames"]]
        if not numbers or not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ValueError("it names no frames")
    except FileNotFoundError:
        raise InputError(f"{path} is not there", "run data_utils/process.py on the video") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "run data_utils/process.py on the video again") from None
    return numbers


def check(data: Path, extractor: str | None) -> list[InputError]:
    """Everything that upstream would stumble on, at most one row per kind of file.

    extractor: whose features of the video's own sound are wanted, None for those of another sound.
    """
    found: list[InputError] = []
    plain: dict[str, str] = {"bc.jpg": "run data_utils/process.py on the video"}
    if extractor:
        plain[AUDIO[extractor]] = f"make the {extractor} features of the video's sound (`features` for deepspeech)"
    for name, fix in plain.items():
        if not (data / name).is_file():
            found.append(InputError(f"{data / name} is not there", fix))
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
    return found + _action_units(data / "au.csv", max(asked, default=-1))


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
