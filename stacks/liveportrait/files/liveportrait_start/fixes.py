"""What the users' note changed in LivePortrait's files, as functions of our own that take the place of upstream's.

Each is for inputs that upstream's code fails on with newer torch or a second numpy; for others the result is the same.
"""

# ruff: noqa: ANN401  (torch and upstream's objects have no types here)

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liveportrait_start.memory import VARIABLE, measured


def plain(value: Any) -> Any:
    """The same value of dicts, lists and tuples with arrays and tensors as arrays of this very numpy.

    An array of another copy's class fails to be pickled ("it's not the same object as numpy.ndarray").
    """
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(one) for one in value)
    if hasattr(value, "detach"):  # a tensor, perhaps on a GPU, which numpy cannot read
        value = value.detach().cpu().numpy()
    if isinstance(value, np.generic):
        return value
    return np.asarray(value) if hasattr(value, "__array__") else value


def numbers(value: Any) -> np.ndarray | None:
    """An array of float32, also of an object array or nested lists; None where the value is no table of numbers."""
    value = plain(value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = plain(value.tolist())
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        return None
    if array.dtype.kind not in "fiub":
        return None
    return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)  # ascontiguousarray makes (1,) of ()


def dump(path: str, value: Any) -> None:
    """Write a .npy or .pkl file, pickled by the newest protocol; a file of that name stays whole until it is done."""
    target = Path(path)
    if target.suffix not in (".npy", ".pkl"):
        raise ValueError(f"{path} is neither .npy nor .pkl")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as out:
            if target.suffix == ".npy":
                np.save(out, plain(value))
            else:
                pickle.dump(plain(value), out, protocol=pickle.HIGHEST_PROTOCOL)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def from_numpy_of(torch: Any) -> Callable[[Any], Any]:
    """torch.from_numpy that copies what torch refuses: arrays of a second numpy, and of objects that are numbers."""
    original = torch.from_numpy

    def from_numpy(array: Any) -> Any:
        try:
            return original(array)
        except TypeError:
            array = plain(array)
            if isinstance(array, np.ndarray) and array.dtype == object:
                array = numbers(array)
            dtype = getattr(torch, array.dtype.name, None) if isinstance(array, np.ndarray) else None
            if dtype is None:
                raise
            if not array.size:
                return torch.empty(array.shape, dtype=dtype)
            # by the buffer's bytes, as torch and numpy do not agree on what an array is
            return torch.frombuffer(bytearray(array.tobytes()), dtype=dtype).reshape(array.shape)

    return from_numpy


def dct2device_of(torch: Any) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """dct2device of a torch: its values become float32 tensors on a device. Tensors stay tensors; what is no table of
    numbers stays as it is."""

    def dct2device(values: dict[str, Any], device: Any) -> dict[str, Any]:
        for key, value in values.items():
            if isinstance(value, torch.Tensor):
                values[key] = value.to(device)
            elif (array := numbers(value)) is not None:
                values[key] = torch.from_numpy(array).to(device)
        return values

    return dct2device


class Frames:
    """The frames of a video as upstream's prepare_videos gives them, one batch at a time on the device.

    images: the frames, each HxWx3. load: upstream's prepare_videos for a few of them. size: frames a batch; half of it
    where memory is short.
    """

    def __init__(self, images: Sequence[Any], load: Callable[[Sequence[Any]], Any], size: int) -> None:
        self.images = images
        self.load = load
        self.size = size
        self.start = 0
        self.batch: Any = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of frames, 1, 3, height, width."""
        height, width = self.images[0].shape[:2] if self.images else (0, 0)
        return (len(self.images), 1, 3, height, width)

    def __getitem__(self, index: int) -> Any:
        place = range(len(self.images))[index]
        if not self.start <= place < self.start + len(self.batch):
            self.start, self.batch = place, ()  # the old batch goes before the new one comes
            size = max(1, self.size // 2) if measured().short else self.size
            self.batch = self.load(self.images[place : place + size])
        return self.batch[place - self.start]


def batched(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """prepare_videos in batches of LIVE_PORTRAIT_BATCH_SIZE; without that variable, and for arrays, as upstream's."""

    def prepare_videos(self: Any, images: Any) -> Any:
        size = int(os.environ.get(VARIABLE) or 0)
        if size < 1 or not isinstance(images, list):
            return original(self, images)
        return Frames(images, lambda part: original(self, part), size)

    return prepare_videos
