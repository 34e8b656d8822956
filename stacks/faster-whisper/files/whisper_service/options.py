"""What the service is told, by the environment of its container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda")
# What WhisperModel loads, whatever else lies beside them; the vocabulary is .json or, of older models, .txt.
FILES = (("model.bin",), ("config.json",), ("tokenizer.json",), ("vocabulary.json", "vocabulary.txt"))


class OptionError(Exception):
    """What the service was told cannot be; says what, and the one thing to do."""


@dataclass(frozen=True)
class Options:
    """model: folder of one CTranslate2 model. compute: CTranslate2's compute type. largest: bytes of one request."""

    model: Path
    device: str
    compute: str
    port: int
    largest: int

    @property
    def name(self) -> str:
        """What a request may call the model; its folder's name."""
        return self.model.name


def read(environment: Mapping[str, str]) -> Options:
    """Options of an environment. Raises OptionError for a value or a folder that is none."""
    device = environment.get("WHISPER_DEVICE", "auto")
    if device not in DEVICES:
        raise OptionError(f"WHISPER_DEVICE is {device!r}. Fix: one of {', '.join(DEVICES)}")
    return Options(
        model=_model(Path(environment.get("WHISPER_MODEL", "/model"))),
        device=device,
        compute=environment.get("WHISPER_COMPUTE_TYPE", "default"),
        port=_number(environment, "WHISPER_PORT", 8000, 65535),
        largest=_number(environment, "WHISPER_MAX_MB", 25, 4096) << 20,
    )


def port(environment: Mapping[str, str]) -> int:
    """The port alone, for whoever asks the service. Raises OptionError."""
    return _number(environment, "WHISPER_PORT", 8000, 65535)


def _model(folder: Path) -> Path:
    fix = f"mount the folder of a CTranslate2 Whisper model: -v DIR:{folder}:ro, or name it by WHISPER_MODEL"
    if not folder.is_dir():
        raise OptionError(f"{folder} is no folder. Fix: {fix}")
    lacking = [" or ".join(names) for names in FILES if not any((folder / name).is_file() for name in names)]
    if lacking:
        raise OptionError(f"{folder} has no {', '.join(lacking)}. Fix: {fix}")
    return folder


def _number(environment: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = environment.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= most:
        raise OptionError(f"{name} is {text!r}. Fix: a number from 1 to {most}")
    return int(text)
