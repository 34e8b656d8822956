"""Find ffmpeg and ffprobe, and take one second of picture and sound through H.264 and AAC and back."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

RATE, WIDTH, HEIGHT, SAMPLES = 25, 64, 48, 16000
SECONDS = 60  # for one call


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg without a word on stderr but errors."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", *arguments]
    return subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)


def encoders() -> list[str]:
    """The names of the encoders that ffmpeg lists, below the line of dashes."""
    lines = run("-encoders").stdout.decode(errors="replace").splitlines()
    return sorted(line.split()[1] for line in lines if line.startswith(" ") and len(line.split()) > 1)


def round_trip(path: str) -> dict[str, object]:
    """Encode test sources into an MP4 file, and decode it to raw frames and samples."""
    picture = f"testsrc=size={WIDTH}x{HEIGHT}:rate={RATE}:duration=1"
    sound = f"sine=frequency=440:sample_rate={SAMPLES}:duration=1"
    coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    made = run("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, *coded, path)
    if made.returncode:
        return {"error": made.stderr.decode(errors="replace").strip()[-500:]}
    frames = run("-i", path, "-map", "0:v", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    samples = run("-i", path, "-map", "0:a", "-f", "s16le", "-")
    wanted = run("-f", "lavfi", "-i", picture, "-f", "rawvideo", "-pix_fmt", "rgb24", "-").stdout
    size = WIDTH * HEIGHT * 3
    apart = sum(abs(one - other) for one, other in zip(frames.stdout[:size], wanted[:size]))  # noqa: B905 - new in 3.10
    return {
        "error": (frames.stderr + samples.stderr).decode(errors="replace").strip()[-500:],
        "frames": len(frames.stdout) / size,
        "seconds_of_sound": len(samples.stdout) / 2 / SAMPLES,
        "apart": apart / size if frames.stdout else None,
    }


found = {name: shutil.which(name) for name in ("ffmpeg", "ffprobe")}
figures: dict[str, object] = {"found": found}
if found["ffmpeg"]:
    said = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, timeout=SECONDS, check=False)
    with tempfile.TemporaryDirectory() as folder:
        one = round_trip(str(Path(folder, "one.mp4")))
    figures.update(version=said.stdout.partition("\n")[0], encoders=encoders(), one=one)
print(json.dumps(figures))
