"""A LivePortrait that runs anywhere: upstream's real source, random weights, and stand-ins for the detectors.

  liveportrait_world.py weights CHECKOUT [small]  random weights (small: narrow networks too) into a copy of the source
  liveportrait_world.py video FILE FRAMES WxH [fps=N] [dark=N] [sound] [seed=N]  a video; dark: frames without a face
  liveportrait_world.py run PROGRAM.py …          as liveportrait_start runs it

FRAMES=FILE logs what the encoders are given, KEEP=FOLDER keeps each twentieth frame. SKETCH=1: see _sketch.
SAME_KERNELS=1: see _same_kernels. insightface's and the landmarks' weights may not be passed on: FaceAnalysisDIY,
LandmarkRunner and XPoseRunner are stand-ins of the same interface, which look at brightness. Runs in the environment of
the networks, never in this project's own.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np

START = Path(__file__).parents[3] / "stacks" / "liveportrait" / "files"
POINTS = {106: (33, 35, 40, 39), 203: (0, 6, 12, 18)}


def shape(count: int) -> np.ndarray:
    """So many points of a face in a square of -1 to 1, with eyes and lips where upstream looks for them."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if count == 203:
        for first, centre in ((0, -0.4), (24, 0.4)):
            for step, (x, y) in zip((0, 6, 12, 18), ((-0.2, 0), (0, -0.06), (0.2, 0), (0, 0.06)), strict=True):
                points[first + step] = (centre + x, -0.3 + y)
        for index, at in ((48, (-0.3, 0.5)), (66, (0.3, 0.5)), (90, (0, 0.45)), (102, (0, 0.56))):
            points[index] = at
    elif count == 106:
        for group, centre in (((33, 35, 40, 39), -0.4), ((87, 89, 94, 93), 0.4)):
            points[list(group)] = (centre, -0.3)
        points[[52, 61]] = ((-0.3, 0.5), (0.3, 0.5))
    else:
        points = np.array(
            [(-0.5, -0.3), (-0.3, -0.3), (0.3, -0.3), (0.5, -0.3), (0, 0), (0.3, 0.5), (-0.3, 0.5), (0, 0.4), (0, 0.6)]
        )
    return points.astype(np.float32)


class Face(dict):
    """One found face."""

    landmark_2d_106: np.ndarray


class FaceAnalysisDIY:
    """A face in the middle of what is bright; none where all is dark."""

    def __init__(self, **_: object) -> None: ...

    def prepare(self, **_: object) -> None: ...

    def warmup(self) -> None: ...

    def get(self, image: np.ndarray, **_: object) -> list[Face]:
        light = image.mean(axis=2)
        if light.mean() < 8:
            return []
        height, width = light.shape
        x = float((light.mean(axis=0) * np.arange(width)).sum() / light.mean(axis=0).sum())
        y = float((light.mean(axis=1) * np.arange(height)).sum() / light.mean(axis=1).sum())
        face = Face(bbox=np.array([0, 0, 1, 1]))
        face.landmark_2d_106 = shape(106) * np.float32(min(height, width) / 5) + np.array([x, y], dtype=np.float32)
        return [face]


class LandmarkRunner:
    """Points that follow the brightness around those of the frame before."""

    def __init__(self, **_: object) -> None: ...

    def warmup(self) -> None: ...

    def run(self, image: np.ndarray, guess: np.ndarray) -> np.ndarray:
        centre, size = guess.mean(axis=0), np.float32((guess.max(axis=0) - guess.min(axis=0)).mean() / 2)
        x, y = (int(np.clip(one, 0, limit - 1)) for one, limit in zip(centre, image.shape[1::-1], strict=True))
        light = np.float32(image[max(0, y - 20) : y + 20, max(0, x - 20) : x + 20].mean() / 255)
        points = shape(203)
        points[[6, 18, 30, 42], 1] *= np.float32(0.9) + light * np.float32(0.2)
        points[[90, 102], 1] += np.array([-0.05, 0.05], dtype=np.float32) * light
        size = np.float32(min(max(size * (0.98 + 0.04 * light), 20), min(image.shape[:2]) / 3))
        return (points * size + centre + (light - np.float32(0.5)) * 2).astype(np.float32)


class XPoseRunner:
    """Nine points of an animal's face in the middle."""

    def __init__(self, **_: object) -> None: ...

    def warmup(self) -> None: ...

    def run(self, image: object, *_: object) -> np.ndarray:
        width, height = image.size  # type: ignore[attr-defined]
        return shape(9) * np.float32(min(width, height) / 4) + np.array([width / 2, height / 2], dtype=np.float32)


def install() -> None:
    """Put the stand-ins in the place of the modules that load weights, and log what encoders are given."""
    for module, found in (
        ("face_analysis_diy", FaceAnalysisDIY),
        ("human_landmark_runner", LandmarkRunner),
        ("animal_landmark_runner", XPoseRunner),
    ):
        made = types.ModuleType(f"src.utils.{module}")
        setattr(made, found.__name__, found)
        sys.modules[made.__name__] = made
    if os.environ.get("FRAMES"):
        _log(Path(os.environ["FRAMES"]))
    if os.environ.get("SKETCH"):
        _sketch()
    if os.environ.get("SAME_KERNELS"):
        _same_kernels()


def _same_kernels() -> None:
    """No trying out of kernels, which has each run of upstream's own way choose others."""
    sys.path.insert(0, str(Path.cwd()))
    import torch
    from src import live_portrait_wrapper

    original = live_portrait_wrapper.LivePortraitWrapper.__init__

    def begin(self: object, *given: object, **named: object) -> None:
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        original(self, *given, **named)

    live_portrait_wrapper.LivePortraitWrapper.__init__ = begin


def _sketch() -> None:
    """In the place of warping and generating, seconds a frame on a CPU: a picture of all that they are given.

    Any bit that differs in features or keypoints gives another picture.
    """
    sys.path.insert(0, str(Path.cwd()))
    import torch
    from src.live_portrait_wrapper import LivePortraitWrapper

    def warp_decode(self: object, features: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> dict:
        pictures = []
        for place in range(len(target)):
            seed = hashlib.sha256()
            for one in (features, source, target):
                seed.update(one[place].contiguous().cpu().numpy().tobytes())
            lines = torch.rand(3, 512, 4, generator=torch.Generator().manual_seed(int(seed.hexdigest()[:8], 16)))
            pictures.append(lines.repeat_interleave(128, dim=2))
        return {"out": torch.stack(pictures)}

    LivePortraitWrapper.warp_decode = warp_decode


def _log(target: Path) -> None:
    import imageio

    original = imageio.get_writer
    keep = Path(os.environ["KEEP"]) if os.environ.get("KEEP") else None
    if keep:
        keep.mkdir(exist_ok=True)

    def get_writer(name: str, **options: object) -> object:
        writer = original(name, **options)
        add = writer.append_data
        kind = "concat" if "concat" in Path(name).name else "result"
        found = re.search(r"-(\d{8})-\d{8}\.mp4$", name)
        place = itertools.count(int(found[1]) if found else 0)

        def append(frame: np.ndarray) -> None:
            digest = hashlib.sha256(np.ascontiguousarray(frame).tobytes()).hexdigest()[:20]
            with target.open("a") as out:
                out.write(json.dumps([Path(name).name, list(frame.shape), digest, options.get("fps")]) + "\n")
            which = next(place)
            if keep and which % 20 == 0:
                np.save(keep / f"{kind}-{which}.npy", frame)
            add(frame)

        writer.append_data = append
        return writer

    imageio.get_writer = get_writer


SMALL = {
    "appearance_feature_extractor_params": {
        "block_expansion": 8,
        "max_features": 64,
        "reshape_channel": 4,
        "num_resblocks": 1,
    },
    "warping_module_params": {"block_expansion": 8, "max_features": 64, "reshape_channel": 4},
    "spade_generator_params": {"block_expansion": 8, "max_features": 64},
}


def weights(checkout: Path, *, small: bool) -> None:
    """Random weights under every name that the programs load; the same each time."""
    import torch
    import yaml

    sys.path.insert(0, str(checkout))
    os.chdir(checkout)
    from src.config.inference_config import InferenceConfig
    from src.utils import helper

    config = InferenceConfig()
    models = yaml.safe_load(Path(config.models_config).read_text())
    if small:
        for name, values in SMALL.items():
            models["model_params"][name].update(values)
        models["model_params"]["warping_module_params"]["dense_motion_params"].update(
            block_expansion=8, max_features=32, num_blocks=2
        )
        Path(config.models_config).write_text(yaml.safe_dump(models))
    torch.manual_seed(0)
    made = {
        "F": helper.AppearanceFeatureExtractor,
        "M": helper.MotionExtractor,
        "W": helper.WarpingNetwork,
        "G": helper.SPADEDecoder,
    }
    names = ("appearance_feature_extractor", "motion_extractor", "warping_module", "spade_generator")
    for (letter, kind), name in zip(made.items(), names, strict=True):
        states = kind(**models["model_params"][f"{name}_params"]).state_dict()
        for key, value in states.items():
            if value.is_floating_point() and value.ndim > 1:
                # as they come, the last layer drives every value to black or white
                states[key] = value * (0.02 if key.startswith("conv_img") else 1.5 if letter == "M" else 1.0)
        for path in (getattr(config, f"checkpoint_{letter}"), getattr(config, f"checkpoint_{letter}_animal")):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            torch.save(states, path)
    heads = models["model_params"]["stitching_retargeting_module_params"]
    states = {
        name: helper.StitchingRetargetingNetwork(**heads[kind]).state_dict()
        for name, kind in (("retarget_shoulder", "stitching"), ("retarget_mouth", "lip"), ("retarget_eye", "eye"))
    }
    for path in (config.checkpoint_S, config.checkpoint_S_animal):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        torch.save(states, path)


def video(target: Path, frames: int, size: str, *words: str) -> None:
    """A moving face-like blob on a moving ground, the same each time; its first frame alone where FILE is no .mp4."""
    import imageio

    if target.suffix != ".mp4":
        aside = target.with_name(f"one-{target.stem}.mp4")
        video(aside, 1, size, *words)
        imageio.imwrite(target, imageio.get_reader(aside, "ffmpeg").get_data(0))
        return aside.unlink()
    options = dict(word.partition("=")[::2] for word in words)
    width, height = (int(one) for one in size.split("x"))
    fps = int(options.get("fps", 25))
    noise = np.random.default_rng(int(options.get("seed", 1)))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ground = noise.integers(0, 60, (height, width, 3)).astype(np.float32)
    fast = ["-crf", "23", "-preset", "ultrafast"]
    writer = imageio.get_writer(str(target), fps=fps, codec="libx264", macro_block_size=2, ffmpeg_params=fast)
    for place in range(frames):
        if place < int(options.get("dark", 0)):
            writer.append_data(np.zeros((height, width, 3), dtype=np.uint8))
            continue
        centre = (width * (0.5 + 0.05 * np.sin(place / 9)), height * (0.5 + 0.05 * np.cos(place / 7)))
        blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (min(width, height) / 3) ** 2)
        tint = np.array([190, 160 + 30 * np.sin(place / 5), 140], dtype=np.float32)
        picture = np.roll(ground, place, axis=1) + blob[..., None] * tint
        writer.append_data(np.clip(picture, 0, 255).astype(np.uint8))
    writer.close()
    if "sound" in options:
        import imageio_ffmpeg

        aside = target.with_name(f"sound-{target.name}")
        tone = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={frames / fps}"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-i", str(target), *tone]
        subprocess.run([*command, "-c:v", "copy", "-c:a", "aac", "-shortest", str(aside)], check=True)
        aside.replace(target)
    return None


def main(words: list[str]) -> None:
    """One of the three commands."""
    if words[0] == "weights":
        weights(Path(words[1]).resolve(), small="small" in words[2:])
    elif words[0] == "video":
        video(Path(words[1]), int(words[2]), words[3], *words[4:])
    else:
        sys.path.insert(0, str(START))
        install()
        from liveportrait_start.run import main as run

        run(words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
