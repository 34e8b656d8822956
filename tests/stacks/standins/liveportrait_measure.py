"""Measures liveportrait's passes beside upstream's own way: memory of the whole process tree, time, and the frames.

  liveportrait_measure.py CHECKOUT FOLDER OUT.json STEP…   with the environment of the networks, for one STEP after another
STEP: NAME:KIND:WAY:FRAMES:SIZE[:AT_ONCE][:KEY=VALUE…]; KIND image or video (the source), WAY whole or passes; log=1 hashes
the frames handed to the encoders; or networks (frames a second by frames a call), or NAME:kills:FRAMES:SIZE:COUNT.
"""

# ruff: noqa: E501, T201  (long rows of figures)

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WORLD = Path(__file__).with_name("liveportrait_world.py")
CPU = [] if Path("/dev/nvidia0").exists() else ["--flag-force-cpu", "--no-flag-use-half-precision"]


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found, parents = [pid], {}
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            try:
                parents[int(one.name)] = int((one / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def held(pid: int, field: str = "VmRSS") -> int:
    """Bytes of memory of one process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def command(words: list[str], folder: Path, step: dict[str, Any]) -> dict[str, Any]:
    """Start it; while it runs look at its memory ten times a second."""
    environment = {**os.environ, "LIVE_PORTRAIT_BATCH_SIZE": str(step.get("batch", 100))}
    environment["LIVE_PORTRAIT_FRAMES_AT_ONCE"] = str(step.get("at_once", 1))
    if step.get("log"):
        environment["FRAMES"] = str(folder / "frames.log")
        environment["KEEP"] = str(folder / "kept")
    began, peak, own = time.monotonic(), 0, 0
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(words, cwd=step["checkout"], env=environment, stdout=said, stderr=said)
        while process.poll() is None:
            peak = max(peak, sum(held(one) for one in tree(process.pid)))
            own = max(own, held(process.pid, "VmHWM"))
            time.sleep(0.1)
    text = (folder / "said").read_text()
    return {
        "status": process.returncode,
        "seconds": round(time.monotonic() - began, 1),
        "peak_tree": peak,
        "peak_process": own,
        "said": [line for line in text.splitlines() if line.startswith("liveportrait:")][-8:],
        "end": "" if process.returncode == 0 else text[-1500:],
    }


def inputs(folder: Path, kind: str, frames: int, size: str) -> tuple[Path, Path]:
    """Source and driving, made once."""
    folder.mkdir(parents=True, exist_ok=True)
    driving = folder / f"d{frames}-{size}.mp4"
    source = folder / (f"s-{size}.png" if kind == "image" else f"s{frames}-{size}.mp4")
    for target, seed in ((source, 2), (driving, 3)):
        if target.exists():
            continue
        short = target if frames <= 200 else target.with_name(target.name.replace(f"{frames}-", "200-"))
        if not short.exists():
            words = [sys.executable, str(WORLD), "video", str(short), str(min(frames, 200)), size, f"seed={seed}"]
            subprocess.run(words, check=True)
        if short != target:  # the same 200 frames again and again
            again = ["ffmpeg", "-v", "error", "-stream_loop", str(frames // 200 - 1), "-i", str(short)]
            subprocess.run([*again, "-c", "copy", str(target)], check=True)
    return source, driving


def words(step: dict[str, Any], source: Path, driving: Path, out: Path) -> list[str]:
    own = [] if step["way"] == "passes" else ["--whole"]
    start = [sys.executable, str(WORLD), "run", "inference.py", "-s", str(source), "-d", str(driving), "-o", str(out)]
    return [*start, *own, *CPU]


def logged(folder: Path) -> dict[str, list[Any]]:
    """Hash and shape of each frame handed to an encoder, in order, of both videos."""
    found: dict[str, list[Any]] = {"concat": [], "result": []}
    if not (folder / "frames.log").exists():
        return found
    rows = [json.loads(line) for line in (folder / "frames.log").read_text().splitlines()]
    for name, *rest in sorted(rows, key=lambda row: row[0]) if "-0" in rows[0][0] else rows:
        found["concat" if "concat" in name else "result"].append(rest)
    return found


def kills(step: dict[str, Any], work: Path) -> dict[str, Any]:
    """One run of the passes killed at random moments and begun again each time, against an unbroken one."""
    source, driving = inputs(work / "in", "image", step["frames"], step["size"])
    whole = work / f"{step['name']}-unbroken"
    broken = work / f"{step['name']}-broken"
    for folder in (whole, broken):
        folder.mkdir(parents=True, exist_ok=True)
    step["way"], step["log"] = "passes", 1
    first = command(words(step, source, driving, whole / "out"), whole, step)
    random.seed(step.get("seed", 7))
    environment = {
        **os.environ,
        "LIVE_PORTRAIT_BATCH_SIZE": str(step.get("batch", 20)),
        "FRAMES": str(broken / "frames.log"),
    }
    lost = []
    for _ in range(step["count"]):
        process = subprocess.Popen(
            words(step, source, driving, broken / "out"),
            cwd=step["checkout"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        state = broken / "out" / f"{source.stem}--{driving.stem}.state"
        before, end = set(state.glob("result-*")), time.monotonic() + 120
        wanted = random.randint(0, 2)
        while time.monotonic() < end and process.poll() is None and len(set(state.glob("result-*")) - before) < wanted:
            time.sleep(0.02)
        time.sleep(random.uniform(0, float(step.get("pause", 6)) if not wanted else 0.5))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        lost.append(len(set(state.glob("result-*"))))
    last = command(words(step, source, driving, broken / "out"), broken, step)
    one, other = joined(whole), joined(broken)
    return {"unbroken": first, "last": last, "segments_at_each_kill": lost, "equal": one == other, "frames": len(one)}


def joined(folder: Path) -> list[str]:
    """The hashes that ffmpeg gives of each decoded frame of the finished video."""
    import imageio_ffmpeg

    files = [one for one in (folder / "out").glob("*.mp4") if "concat" not in one.name]
    if not files:
        return []
    read = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(files[0]), "-f", "framemd5", "-"]
    text = subprocess.run(read, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if not line.startswith("#")]


def networks(step: dict[str, Any]) -> dict[str, Any]:
    """Frames a second of warping and generating, and of motion, by frames a call, in one process."""
    script = f"import sys; sys.path.insert(0, {str(WORLD.parent)!r}); import liveportrait_measure as m; m.rates()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=step["checkout"], capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"end": done.stderr[-1500:]}


def rates() -> None:
    """For `networks`: prints the figures."""
    sys.path.insert(0, str(Path.cwd()))
    import torch
    from src.config.inference_config import InferenceConfig
    from src.live_portrait_wrapper import LivePortraitWrapper

    torch.backends.cudnn.benchmark = True
    gpu = not CPU
    wrapper = LivePortraitWrapper(InferenceConfig(flag_force_cpu=not gpu, flag_use_half_precision=gpu))
    torch.manual_seed(1)
    device, found, outs = wrapper.device, {}, {}
    image = torch.rand(1, 3, 256, 256, device=device)
    features, info = wrapper.extract_feature_3d(image), wrapper.get_kp_info(image)
    source = wrapper.transform_keypoint(info)
    moved = source + torch.randn(16, 21, 3, device=device) * 0.02
    wait = torch.cuda.synchronize if gpu else (lambda: None)
    for count in (1, 2, 4, 8, 16) if gpu else (1, 2):
        total = 160 if gpu else 2
        for turn in range(2):
            if turn:
                wait()
            began = time.monotonic()
            for start in range(0, total if turn else 3 * count, count):
                part = moved[start % 16 : start % 16 + count]
                given = features.expand(count, -1, -1, -1, -1), source.expand(count, -1, -1)
                out = wrapper.warp_decode(*given, part)["out"]
                if turn and start < 16:
                    outs.setdefault(count, []).append((out * 255).clamp(0, 255).byte())
            wait()
        found[str(count)] = round(total / (time.monotonic() - began), 1)
    alone = torch.cat(outs[1]).int()
    off = {
        str(count): int((torch.cat(parts).int()[: len(alone)] - alone[: len(torch.cat(parts))]).abs().max())
        for count, parts in outs.items()
    }
    share = {
        str(count): float(((torch.cat(parts).int()[: len(alone)] - alone[: len(torch.cat(parts))]) != 0).float().mean())
        for count, parts in outs.items()
    }
    spread = float(alone.float().std())
    print(json.dumps({"frames_a_second": found, "largest_difference": off, "share_that_differs": share, "std": spread}))


def parse(text: str, checkout: str) -> dict[str, Any]:
    name, kind, *rest = text.split(":")
    step: dict[str, Any] = {"name": name, "kind": kind, "checkout": checkout}
    more = [one for one in rest if "=" in one]
    plain = [one for one in rest if "=" not in one]
    if kind == "kills":
        step.update(frames=int(plain[0]), size=plain[1], count=int(plain[2]))
    elif kind != "networks":
        step.update(way=plain[0], frames=int(plain[1]), size=plain[2])
        if len(plain) > 3:
            step["at_once"] = int(plain[3])
    step.update(one.split("=", 1) for one in more)
    return step


def main(arguments: list[str]) -> None:
    """All steps; the file is written anew after each."""
    checkout, work, target = arguments[0], Path(arguments[1]), Path(arguments[2])
    results: dict[str, Any] = {}
    for text in arguments[3:]:
        step = parse(text, checkout)
        began = time.monotonic()
        if step["kind"] == "networks":
            result = networks(step)
        elif step["kind"] == "kills":
            result = kills(step, work)
        else:
            folder = work / step["name"]
            folder.mkdir(parents=True, exist_ok=True)
            source, driving = inputs(work / "in", step["kind"], step["frames"], step["size"])
            result = command(words(step, source, driving, folder / "out"), folder, step)
            result["frames"] = logged(folder)
        results[step["name"]] = result
        print(
            step["name"],
            round(time.monotonic() - began, 1),
            {k: v for k, v in result.items() if k != "frames"},
            flush=True,
        )
        names = list(results)
        for one in names:
            for other in names[: names.index(one)]:
                a, b = results[one].get("frames"), results[other].get("frames")
                if (
                    isinstance(a, dict)
                    and isinstance(b, dict)
                    and a["result"]
                    and [len(a[k]) for k in a] == [len(b[k]) for k in b]
                ):
                    same = {kind: sum(x[:2] == y[:2] for x, y in zip(a[kind], b[kind], strict=True)) for kind in a}
                    results[one].setdefault("same_frames", {})[other] = [
                        same,
                        len(a["result"]),
                        kept(work / one, work / other),
                    ]
        target.write_text(
            json.dumps({n: {k: v for k, v in r.items() if k != "frames"} for n, r in results.items()}, indent=1)
        )


def kept(one: Path, other: Path) -> dict[str, Any]:
    """Largest difference and share of differing values in the frames that both runs kept."""
    import numpy as np

    pairs = [(path, other / "kept" / path.name) for path in sorted((one / "kept").glob("*.npy"))]
    most, differ, values = 0, 0, 0
    for a, b in pairs:
        if b.exists():
            gap = np.abs(np.load(a).astype(int) - np.load(b).astype(int))
            most, differ, values = max(most, int(gap.max())), differ + int((gap > 0).sum()), values + gap.size
    return {"most": most, "share": differ / values if values else 0.0, "values": values}


if __name__ == "__main__":
    main(sys.argv[1:])
