"""A whole training of TalkingGaussian by the image's own entry point, on the drawn head, and what it cost.

Usage, in the image, on a GPU: train.py OUT [SHARE]. Draws the set (draw.py), has upstream's process.py make the rest of
it, and runs `train` and `speak`. SHARE (0.12) of upstream's numbers of iterations are taken; 1 is all of them, an hour.
OUT gets metrics.json (seconds by stage, PSNR by iteration, peaks of memory), the log, and the last frame beside the
drawn one. AlexNet, s3fd and 2DFAN4 are random, as theirs cannot be had: LPIPS and LMD say nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import torch
from standin_weights import measures

HERE = Path(__file__).resolve().parent
WORK = Path.cwd()  # upstream's files, where the image starts
# Of upstream's files the numbers of iterations, each as often as it is there.
NUMBERS = {
    "arguments/__init__.py": (
        "self.iterations = 50_000",
        "position_lr_max_steps = 45_000",
        "densification_interval = 100",
        "opacity_reset_interval = 3000",
        "densify_from_iter = 500",
        "densify_until_iter = 45_000",
    ),
    "train_mouth.py": (
        "opt.iterations + 1, 2000)",
        "opt.iterations + 1, 10000)",
        "warm_step = 3000",
        "opt.iterations-1000",
        "bg_iter - 10000",
        "iteration % 1000 == 0",
    ),
    "train_face.py": (
        "opt.iterations + 1, 2000)",
        "opt.iterations + 1, 10000)",
        "warm_step = 3000",
        "opt.iterations - 1000",
        "densify_until_iter - 2000",
        "bg_iter - 10000",
        "lpips_start_iter - 1000",
        "iteration % 1000 == 0",
    ),
    "train_fuse.py": ("opt.iterations = 10000", "opt.iterations + 1, 2000)", "lpips_start_iter = 5000"),
}
# The entry point, but for the hashes in the names of the weights, which random ones cannot have.
ENTRY = (
    "import sys; from talkinggaussian_start import run; run.check_hub = lambda names: []; "
    "from talkinggaussian_start.__main__ import main; sys.exit(main())"
)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def shorten(share: float) -> None:
    """Take a share of upstream's iterations, in the container's own copy of its files; says each line."""
    for name, wanted in NUMBERS.items():
        text = (WORK / name).read_text()
        for one in wanted:
            if text.count(one) != 1:
                raise SystemExit(f"error: {name} has {one!r} {text.count(one)} times, not once")
            less = re.sub(r"[0-9_]{3,}", lambda found: str(max(1, round(int(found[0]) * share))), one)
            text = text.replace(one, less)
            say(f"{name}: {one} -> {less}")
        (WORK / name).write_text(text)


class Peaks(threading.Thread):
    """What the GPU and the machine use at most, looked at twice a second, above what they used at the start."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.gpu = self.host = 0
        self.free = self.first = self._memory()

    def run(self) -> None:
        while True:
            free = self._memory()
            self.gpu, self.host = max(self.gpu, self.free[0] - free[0]), max(self.host, self.first[1] - free[1])
            time.sleep(0.5)

    def _memory(self) -> tuple[int, int]:
        told = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())
        return torch.cuda.mem_get_info()[0] >> 20, int(told[1]) >> 10 if told else 0


def called(words: list[str], log: Path) -> tuple[int, str, float]:
    """Run a program in upstream's folder; its words go to the log and here. Gives code, words and seconds."""
    start, said = time.time(), []
    with (
        log.open("a") as file,
        subprocess.Popen(
            words,
            cwd=WORK,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as program,
    ):
        for line in program.stdout:
            said.append(line)
            file.write(line)
            if not re.search(r"\d%\|", line):
                sys.stdout.write(line)
                sys.stdout.flush()
    return program.returncode, "".join(said), time.time() - start


def stages(said: str) -> tuple[dict[str, int], dict[str, dict[str, list[list[float]]]]]:
    """Seconds of each step, and of each stage the PSNR of test and training frames by iteration."""
    seconds = {name: int(took) for name, took in re.findall(r"talkinggaussian: (\w+) took (\d+) s", said)}
    found: dict[str, dict[str, list[list[float]]]] = {}
    for part in re.split(r"talkinggaussian: step \d+ of \d+, ", said)[1:]:
        rows = re.findall(r"\[ITER (\d+)\] Evaluating (\w+): L1 \S+ PSNR ([\d.]+)", part)
        for iteration, kind, psnr in rows:
            found.setdefault(part.partition(":")[0], {}).setdefault(kind, []).append(
                [int(iteration), round(float(psnr), 2)]
            )
    return seconds, found


def last_frame(data: Path, output: Path, path: Path) -> None:
    """The last test frame as it is rendered, beside the drawn one."""
    made = output / "test" / "ours_None"
    both = []
    for video in (made / "renders" / "out.mp4", made / "gt" / "out.mp4"):
        stream, frame = cv2.VideoCapture(str(video)), None
        while (read := stream.read())[0]:
            frame = read[1]
        both.append(frame)
    cv2.imwrite(str(path), cv2.hconcat(both))


def main() -> int:
    out, share = Path(sys.argv[1]).resolve(), float(sys.argv[2]) if len(sys.argv) > 2 else 0.12
    out.mkdir(parents=True, exist_ok=True)
    data, output, log = Path("/tmp/drawn"), Path("/tmp/trained"), out / "training.log"
    start = time.time()
    subprocess.run([sys.executable, str(HERE / "draw.py"), str(data)], check=True)
    drawn = time.time() - start
    for task in ("5", "6", "9"):
        words = [sys.executable, "data_utils/process.py", str(data / "drawn.mp4"), "--task", task]
        subprocess.run(words, cwd=WORK, check=True)
    processed = time.time() - start - drawn
    measures(Path(torch.hub.get_dir()) / "checkpoints")
    if share != 1:
        shorten(share)
    peaks = Peaks()
    peaks.start()
    entry = [sys.executable, "-u", "-c", ENTRY]
    code, said, took = called([*entry, "train", str(data), str(output)], log)
    seconds, psnr = stages(said)
    found = {
        "gpu": torch.cuda.get_device_name(),
        "share of upstream's iterations": share,
        "seconds": {"draw": round(drawn), "process.py 5, 6, 9": round(processed), "train": round(took), **seconds},
        "psnr by iteration": psnr,
        "metrics.py": dict(re.findall(r"^(PSNR|LPIPS \(alex\)|LMD \(fan\)) = ([\d.]+)", said, re.M)),
        "exit": {"train": code},
        "peak": {"gpu_MiB": peaks.gpu, "host_MB": peaks.host},
    }
    if not code:
        last_frame(data, output, out / "last-frame.png")
        shutil.copy(output / "test/ours_None/renders/out_with_sound.mp4", out / "out_with_sound.mp4")
        other = ["--features", str(data / "other.npy"), "--wav", str(data / "other.wav")]
        code, said, took = called([*entry, "speak", str(data), str(output), *other], log)
        found["exit"]["speak"], found["seconds"]["speak"] = code, round(took)
    found["peak"] = {"gpu_MiB": peaks.gpu, "host_MB": peaks.host}
    (out / "metrics.json").write_text(json.dumps(found, indent=1) + "\n")
    say(json.dumps({key: found[key] for key in ("seconds", "metrics.py", "exit", "peak")}))
    return code


if __name__ == "__main__":
    sys.exit(main())
