"""Weights that upstream's scripts would download on their way; a network is not to be counted on, nor a wrong file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from talkinggaussian_start.errors import SurroundingsError

ALEXNET = "alexnet-owt-7be5be79.pth"
FACE_ALIGNMENT = ("s3fd-619a316812.pth", "2DFAN4-cd938726ad.zip")
DEEPSPEECH = Path(".tensorflow") / "models" / "deepspeech-0_1_0-b90017e8.pb"
# data_utils/deepspeech_features/deepspeech_store.py holds the file to this
DEEPSPEECH_SHA1 = "b90017e816572ddce84f5843f1fa21e6a377975e"
_FIX = "take an image that holds it, or mount it there"


def digest(path: Path, kind: str) -> str:
    """The file's hash of that kind, in hex digits."""
    found = hashlib.new(kind)
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            found.update(part)
    return found.hexdigest()


def check_hub(names: Sequence[str]) -> list[SurroundingsError]:
    """The files that are not in torch.hub's folder, or whose sha256 is not as their name tells."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    folder = Path(os.environ.get("TORCH_HOME") or default).expanduser() / "hub" / "checkpoints"
    found = []
    for name in names:
        path, told = folder / name, re.search(r"-([0-9a-f]{8,})\.", name)
        if not path.is_file():
            found.append(SurroundingsError(f"{path} is not there", _FIX))
        elif told and not digest(path, "sha256").startswith(told[1]):
            found.append(SurroundingsError(f"{path} is damaged: its sha256 does not begin with {told[1]}", _FIX))
    return found


def check_deepspeech() -> list[SurroundingsError]:
    """What is wrong with the DeepSpeech graph: `deepspeech/logits:0` is in that of v0.1.0 alone."""
    path = Path.home() / DEEPSPEECH
    if not path.is_file():
        return [SurroundingsError(f"{path} is not there", _FIX)]
    if (found := digest(path, "sha1")) == DEEPSPEECH_SHA1:
        return []
    problem = f"{path} is not DeepSpeech v0.1.0 (sha1 {found}, not {DEEPSPEECH_SHA1})"
    return [SurroundingsError(problem, "put the file of osmr/deepspeech_features v0.0.1 there")]
