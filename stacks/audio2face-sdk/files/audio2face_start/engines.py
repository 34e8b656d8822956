"""Engines in a volume: one folder per GPU, TensorRT and model, whole and loadable or not there."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audio2face_start import build, gpu
from audio2face_start.errors import StartError, SurroundingsError
from audio2face_start.models import Model
from audio2face_start.say import say

ENGINE = "network.trt"
_OUTSIDE = "mount a volume that this user may write to: --volume audio2face-engines:/engines"


def root() -> Path:
    """The folder of all engines."""
    return Path(os.environ.get("AUDIO2FACE_ENGINES", "/engines"))


def place(model: Model) -> Path:
    """Where the engine of a model for this GPU and TensorRT is: another of the three is another folder."""
    device = gpu.first()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", device.name).strip("-").lower()
    return root() / f"{slug}-sm{device.capability}-trt{build.version()}" / f"{model.name}-{model.digest()[:16]}"


def state(folder: Path) -> str:
    """`good`, `missing`, or `damaged` where TensorRT does not load it."""
    path = folder / ENGINE
    if not path.is_file():
        return "missing"
    return "good" if build.loads(path.read_bytes()) else "damaged"


def ensure(model: Model) -> Path:
    """The folder of a model's engine, made where it is missing or damaged. Raises StartError where none can be."""
    folder = place(model)
    with _held(folder):
        found = state(folder)
        if found == "good":
            return folder
        if found == "damaged":
            say(f"warning: {folder / ENGINE} does not load; it is made again")
            shutil.rmtree(folder)
        say(f"making the engine of {model.name} for this GPU, once; this takes minutes")
        data = build.build(model.folder / "network.onnx", build.options(model.arguments))
        if not build.loads(data):
            raise StartError(f"the engine of {model.name} was built and does not load", "look at TensorRT's messages")
        _put(folder, data, model)
    return folder


def _put(folder: Path, data: bytes, model: Model) -> None:
    """Write the engine beside its place, whole, with links to the model's other files, and put it there."""
    aside = _aside(folder)
    aside.mkdir()
    with (aside / ENGINE).open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    for path in sorted(model.folder.iterdir()):
        if path.suffix in (".json", ".npz"):
            (aside / path.name).symlink_to(path)
    aside.replace(folder)
    say(f"made {folder / ENGINE}, {len(data)} bytes")


def _aside(folder: Path) -> Path:
    return folder.with_name(f".making-{folder.name}")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One container at a time makes an engine; what a stopped one left half-made is removed."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}.lock").open("w")
    except OSError as error:
        raise SurroundingsError(f"{root()} cannot be written to ({error.strerror})", _OUTSIDE) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(_aside(folder), ignore_errors=True)
        yield


def warn_if_lost() -> None:
    """Say that engines end with the container, where their folder is no mount."""
    if not any(os.path.ismount(path) for path in (root(), *list(root().parents)[:-1])):
        say(f"warning: {root()} is in the container itself, and the engines end with it. {_OUTSIDE}")
