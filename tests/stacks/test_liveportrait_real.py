"""LivePortrait's real source at the pin: its own way and the passes hand the same bytes to the encoders.

For whoever has it: LIVEPORTRAIT_SOURCE names a checkout at 1986663b, LIVEPORTRAIT_PYTHON an interpreter with torch and
what else upstream's inference imports, and ffmpeg with ffprobe is on the PATH. Weights are random; the detectors,
whose weights may not be passed on, are stand-ins (standins/liveportrait_world.py). Where SKETCH is set, warping and
generating are a picture of the bits they are given, as they take seconds a frame on a CPU.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy  # half a minute a case, and what it needs is not everywhere

SOURCE, PYTHON = os.environ.get("LIVEPORTRAIT_SOURCE"), os.environ.get("LIVEPORTRAIT_PYTHON")
WORLD = Path(__file__).parent / "standins" / "liveportrait_world.py"
VIDEOS = {
    "d.mp4": ("14", "256x256", "sound"),
    "wide.mp4": ("14", "384x256", "seed=3"),
    "s.mp4": ("12", "320x240", "seed=2", "sound"),
    "late.mp4": ("14", "320x240", "seed=3", "dark=2"),
    "s.png": ("1", "320x240", "seed=5"),
    "d.png": ("1", "256x256", "seed=6"),
}
ANIMALS = "inference_animals.py"
CASES = {
    "image": ("inference.py", "s.png", "d.mp4"),
    "source video": ("inference.py", "s.mp4", "d.mp4"),
    "lips and eyes": ("inference.py", "s.mp4", "wide.mp4", "--flag-normalize-lip --flag-source-video-eye-retargeting"),
    "late faces": ("inference.py", "late.mp4", "wide.mp4"),
    "expression": ("inference.py", "s.png", "wide.mp4", "--animation-region exp --flag-normalize-lip"),
    "absolute pose": ("inference.py", "s.mp4", "d.mp4", "--no-flag-relative-motion --animation-region pose"),
    "driving image": ("inference.py", "s.mp4", "d.png"),
    "absolute lips": ("inference.py", "s.mp4", "d.png", "--no-flag-relative-motion --animation-region lip"),
    "retargeted": ("inference.py", "s.png", "d.mp4", "--flag-eye-retargeting --flag-lip-retargeting"),
    "not stitched": ("inference.py", "s.mp4", "d.mp4", "--flag-eye-retargeting --no-flag-stitching"),
    "not cropped": ("inference.py", "s.mp4", "d.mp4", "--no-flag-do-crop --animation-region eyes"),
    "no paste-back": ("inference.py", "s.png", "d.mp4", "--no-flag-pasteback --driving-multiplier 1.3"),
    "animal": (ANIMALS, "s.png", "d.mp4"),
    "cropped animal": (ANIMALS, "s.png", "wide.mp4", "--flag-crop-driving-video --no-flag-stitching"),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the real source with random weights and narrow networks, and videos beside it."""
    if not (SOURCE and PYTHON):
        pytest.skip("LIVEPORTRAIT_SOURCE and LIVEPORTRAIT_PYTHON name no checkout and no interpreter for it")
    folder = tmp_path_factory.mktemp("real") / "LivePortrait"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("assets", ".git"))
    subprocess.run([PYTHON, WORLD, "weights", folder, "small"], check=True, capture_output=True)
    for name, words in VIDEOS.items():
        subprocess.run([PYTHON, WORLD, "video", folder / name, *words], check=True, capture_output=True)
    return folder


def run(checkout: Path, out: Path, case: tuple[str, ...], *more: str, **env: str) -> dict[str, list[list[object]]]:
    """Shape, hash and rate of each frame handed to the encoders of both videos."""
    assert PYTHON
    program, source, driving, *flags = case
    log = out.with_suffix(".log")
    cpu = ["--flag-force-cpu", "--no-flag-use-half-precision"]
    words = [PYTHON, str(WORLD), "run", program, "-s", source, "-d", driving, "-o", str(out), *cpu, *more]
    own = {"FRAMES": str(log), "LIVE_PORTRAIT_BATCH_SIZE": "6", "OMP_NUM_THREADS": "1", **env}
    words += " ".join(flags).split()
    subprocess.run(words, cwd=checkout, env={**os.environ, **own}, check=True, capture_output=True, timeout=900)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    found: dict[str, list[list[object]]] = {"concat": [], "result": []}
    for name, *rest in sorted(rows, key=lambda row: row[0]) if "-0" in rows[0][0] else rows:
        found["concat" if "concat" in name else "result"].append(rest)
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_encoders_get_the_same_bytes(checkout: Path, tmp_path: Path, case: str) -> None:
    whole = run(checkout, tmp_path / "whole", CASES[case], "--whole", SKETCH="1")
    assert run(checkout, tmp_path / "passes", CASES[case], SKETCH="1") == whole
    assert len(whole["result"]) > 8
    assert sorted(one.name for one in (tmp_path / "passes").iterdir()) == sorted(
        one.name for one in (tmp_path / "whole").iterdir()
    )


def test_the_networks_themselves_give_the_same_bytes(checkout: Path, tmp_path: Path) -> None:
    whole = run(checkout, tmp_path / "whole", CASES["image"], "--whole")
    assert run(checkout, tmp_path / "passes", CASES["image"]) == whole
