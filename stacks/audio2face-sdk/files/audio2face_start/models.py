"""The models that are mounted: /models/NAME/ with network.onnx, trt_info.json and the files beside them."""

from __future__ import annotations

import hashlib
import json
import os
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audio2face_start.errors import InputError

# Folder of a model, as upstream's download_models names it -> its name in upstream's samples.
NAMES = {
    "audio2face-3d-v2.3.1-claire": "claire",
    "audio2face-3d-v2.3.1-james": "james",
    "audio2face-3d-v2.3-mark": "mark",
    "audio2face-3d-v3.0": "multi-diffusion",
}
EMOTION = "audio2emotion"  # gated, large, and not needed: made only where it is asked for by name
ONNX, INFO, MODEL = "network.onnx", "trt_info.json", "model.json"
_POINTER = b"version https://git-lfs.github.com/spec/v1"
_LARGEST = 1_000_000  # bytes of trt_info.json


@dataclass(frozen=True)
class Model:
    """One model. arguments: how its engine is built, in trtexec's words."""

    folder: Path
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    def digest(self) -> str:
        """64 hex digits over what shapes its engine: network and arguments."""
        found = hashlib.sha256("\n".join(self.arguments).encode())
        with (self.folder / ONNX).open("rb") as stream:
            for part in iter(lambda: stream.read(1 << 20), b""):
                found.update(part)
        return found.hexdigest()


def root() -> Path:
    """The folder of all models."""
    return Path(os.environ.get("AUDIO2FACE_MODELS", "/models"))


def found(names: Sequence[str] = ()) -> list[Model]:
    """These models, or every one that is mounted but the emotion model. Raises InputError for one that is not whole."""
    if not names:
        there = sorted(path.parent for path in root().glob(f"*/{ONNX}"))
        names = [path.name for path in there if not path.name.startswith(EMOTION)]
    if not names:
        fix = f"mount them: --volume /path/to/models:{root()}:ro; docs/stacks/audio2face-sdk.md says how to get them"
        raise InputError(f"there is no model in {root()}", fix)
    return [_model(root() / name) for name in names]


def _model(folder: Path) -> Model:
    for name in (ONNX, INFO, MODEL):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name} is missing", "download the model's repository whole")
    for path in sorted(folder.iterdir()):
        refuse_pointer(path)
    return Model(folder, _arguments(folder / INFO))


def refuse_pointer(path: Path) -> None:
    """Raise InputError for a Git LFS pointer, which a clone without git-lfs leaves in the place of a large file."""
    if path.is_file():
        with path.open("rb") as stream:
            if stream.read(len(_POINTER)) == _POINTER:
                raise InputError(
                    f"{path} is a Git LFS pointer, not the file", "run `git lfs pull` there, or `hf download`"
                )


def _arguments(path: Path) -> tuple[str, ...]:
    """The build arguments of a trt_info.json, its defaults put in."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is too large")
        info = json.loads(path.read_text(encoding="utf-8"))
        defaults = {str(key): value for key, value in info.get("defaults", {}).items()}
        words = [word for group in info["trt_build_param"].values() for word in group]
        return tuple(_Plain().vformat(word, (), defaults) for word in words)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        problem = f"{path} does not say how its engine is built ({type(error).__name__}: {error})"
        raise InputError(problem, "download the model's repository whole") from None


class _Plain(string.Formatter):
    """Puts in values by plain names alone: no attribute and no item of a value is looked up."""

    def get_field(self, field_name: str, args: object, kwargs: object) -> tuple[object, str]:
        """The value of a name. Raises KeyError for one that has none."""
        return kwargs[field_name], field_name  # type: ignore[index]
