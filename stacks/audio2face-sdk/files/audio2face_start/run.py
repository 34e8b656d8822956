"""Running upstream's programs: they look for sound and models below the folder they start in, at upstream's paths."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from audio2face_start import engines, models
from audio2face_start.errors import InputError, StartError, SurroundingsError
from audio2face_start.models import Model, refuse_pointer

SAMPLE = "sample-a2f-executor"
SAMPLE_MODELS = ("audio2face-3d-v2.3-mark", "audio2face-3d-v3.0")  # what its main.cpp opens
SOUND = Path("sample-data/audio_4sec_16k_s16le.wav")
RATE = 16000
_DATA = Path("_data/generated/audio2face-sdk/samples/data")
_FRAMES = re.compile(r"^Track (\d+) processed (\d+) frames\.", re.MULTILINE)


def own_sound() -> Path:
    """The sample sound of the SDK, in its package."""
    package = importlib.util.find_spec("audio2face_sdk")
    if package is None or package.origin is None:
        raise SurroundingsError("the package audio2face_sdk is not installed", "take an image of this stack")
    return Path(package.origin).parent / SOUND


def check_sound(path: Path) -> None:
    """Raise InputError for a sound that upstream's sample would refuse without saying why."""
    if not path.is_file():
        raise InputError(f"{path} is not there", "mount its folder and give its path in the container")
    refuse_pointer(path)
    try:
        with wave.open(str(path)) as sound:
            rate = sound.getframerate()
    except (wave.Error, EOFError) as error:
        raise InputError(
            f"{path} is no WAV file of PCM ({error})", "convert it: ffmpeg -i IN -ar 16000 OUT.wav"
        ) from None
    if rate != RATE:
        raise InputError(
            f"{path} has {rate} samples a second, not {RATE}", "convert it: ffmpeg -i IN -ar 16000 OUT.wav"
        )


def program(name: str, arguments: Sequence[str]) -> int:
    """Run one of upstream's programs with every model's engine; gives its exit code."""
    path = _path(name)
    with _folder(models.found(), own_sound()) as folder:
        return subprocess.run([path, *arguments], cwd=folder, check=False).returncode


def sample(sound: Path | None) -> None:
    """Run upstream's sample; raises StartError unless every track of both kinds of model gave frames."""
    path = _path(SAMPLE)
    with _folder(models.found(SAMPLE_MODELS), sound or own_sound()) as folder:
        done = subprocess.run([path], cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    frames = [int(number) for _, number in _FRAMES.findall(done.stdout)]
    if done.returncode or not frames or not all(frames):
        why = f"it ended with {done.returncode}" if done.returncode else "a track gave no frames"
        raise StartError(f"{SAMPLE} did not do its work: {why}", "read what it said above")


@contextmanager
def _folder(wanted: Sequence[Model], sound: Path) -> Iterator[Path]:
    """A folder as upstream's programs expect it, of links."""
    check_sound(sound)
    made = {model: engines.ensure(model) for model in wanted}
    with tempfile.TemporaryDirectory(prefix="audio2face-") as name:
        folder = Path(name)
        for place, target in {
            SOUND: sound.resolve(),
            **{_DATA / models.NAMES.get(one.name, one.name): path for one, path in made.items()},
        }.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).symlink_to(target)
        yield folder


def _path(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise SurroundingsError(
            f"there is no program {name}", "the image has sample-a2f-executor, audio2face-benchmarks"
        )
    return found
