"""What takes the place of upstream's `execute`: the same arguments, the same files, in memory that does not grow."""

# ruff: noqa: ANN401  (upstream's objects have no types here)

from __future__ import annotations

import errno
import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liveportrait_start.passes import planning, reading, segments, upstream, video
from liveportrait_start.passes.batches import Batches, at_once, ceiling
from liveportrait_start.passes.files import sha256
from liveportrait_start.passes.job import Job
from liveportrait_start.passes.making import VIDEOS, Maker
from liveportrait_start.passes.options import Options
from liveportrait_start.passes.outlook import outlook
from liveportrait_start.passes.progress import peak, say
from liveportrait_start.passes.state import begin
from liveportrait_start.passes.stop import Stop

# Of upstream's arguments those that change no frame.
NO_PART = {"output_dir", "server_port", "share", "server_name", "gradio_temp_dir", "source", "driving"}
WEIGHTS = ("checkpoint_F", "checkpoint_M", "checkpoint_G", "checkpoint_W", "checkpoint_S")


def replacement(original: Callable[..., Any], options: Options, *, animal: bool) -> Callable[..., Any]:
    """`execute` of one of upstream's pipelines; its own where asked for, and for one image out of one image."""

    def execute(pipeline: Any, args: Any) -> Any:
        if options.whole:
            return original(pipeline, args)
        names = upstream.found()
        if _one_image(names, args, animal=animal):
            return original(pipeline, args)
        return run(pipeline, args, names, options, animal=animal)

    return execute


def _one_image(names: Any, args: Any, *, animal: bool) -> bool:
    """Whether the result is a single image, which has no length."""
    if animal or not names.is_image(args.source):
        return False
    if names.is_template(args.driving):
        return int(names.load(args.driving)["n_frames"]) <= 1
    return bool(names.is_image(args.driving)) and not names.is_video(args.driving)


def made_from(job_args: Any, wrapper: Any, cropper: Any, *, animal: bool) -> dict[str, str]:
    """What the frames depend on, by name: hashes of the inputs and weights, and each argument."""
    found = {f"--{key.replace('_', '-')}": str(value) for key, value in vars(job_args).items() if key not in NO_PART}
    config, crop = wrapper.inference_cfg, cropper.crop_cfg
    paths = [getattr(config, f"{name}_animal" if animal else name) for name in WEIGHTS]
    paths += [crop.landmark_ckpt_path, os.path.join(crop.insightface_root, "models", "buffalo_l")]  # noqa: PTH118
    if animal:
        paths.append(crop.xpose_ckpt_path)
    for name in ("source", "driving"):
        found[f"the {name}"] = sha256(Path(getattr(job_args, name)))
    for path in paths:
        if path and Path(path).exists():
            found[f"the weights {Path(path).name}"] = sha256(Path(path))
    found["torch"] = str(importlib.import_module("torch").__version__)
    return found


def gpu_memory(wrapper: Any) -> tuple[Callable[[], tuple[int, int] | None], Callable[[], None]]:
    """Two functions: one gives the bytes used and all of the networks' GPU, None on a CPU; one frees its cache."""
    torch = importlib.import_module("torch")
    if not str(wrapper.device).startswith("cuda"):
        return lambda: None, lambda: None

    def told() -> tuple[int, int]:
        free, all_of_it = torch.cuda.mem_get_info(wrapper.device)
        return all_of_it - free, all_of_it

    return told, torch.cuda.empty_cache


def run(pipeline: Any, args: Any, names: Any, options: Options, *, animal: bool, open_: Any = video.reader) -> Any:
    """Animate in passes. Gives what upstream's execute gives: the paths of the video, of the concatenation, and of an
    animal's gif. Raises Stop with a plain sentence."""
    upstream.quiet()
    _inputs(names, args, animal=animal)
    wrapper = upstream.named(pipeline, "live_portrait_wrapper_animal" if animal else "live_portrait_wrapper")
    cropper = upstream.named(pipeline, "cropper")
    names.mkdir(args.output_dir)
    name = f"{names.basename(args.source)}--{names.basename(args.driving)}.state"
    state = begin(
        Path(os.path.join(args.output_dir, name)),  # noqa: PTH118
        made_from(args, wrapper, cropper, animal=animal),
        restart=options.restart,
    )
    gpu, free_gpu = gpu_memory(wrapper)
    job = Job(pipeline, args, names, animal, state, Batches(ceiling()), at_once(), gpu, free_gpu, open_)
    try:
        return _passes(job)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise Stop(
            f"{state.folder} cannot be written ({error}); make room and give the same command: it goes on where it was"
        ) from None


def _passes(job: Job) -> Any:
    """All passes, from where the state is; the state is gone when the video has its name."""
    names, state = job.names, job.state
    if job.driving_kind == "template":
        job.template = names.load(job.args.driving)
    outlook(job)
    plan = _read(job)
    targets = {"concat": job.target("_concat.mp4"), "result": job.target(".mp4")}
    place, parts = segments.done(state.folder, list(VIDEOS))
    if state.resumed:
        say(f"going on: {place} of {plan.frames} frames are finished from the run before")
    if place < plan.frames:
        Maker(job, plan).make(place)
        place, parts = segments.done(state.folder, list(VIDEOS))
    for which, kind in enumerate(VIDEOS):
        _whole(job, parts[which], targets[kind], plan.frames)
    made = [str(targets["result"]), str(targets["concat"])]
    if job.animal:
        made.append(str(names.video2gif(made[0])))
    state.remove()
    say(f"{plan.frames} frames in {made[0]}; peak memory {peak()}")
    return tuple(made)


def _inputs(names: Any, args: Any, *, animal: bool) -> None:
    """Refuse at once what would fail at the end. Raises Stop."""
    if not names.is_image(args.source) and (animal or not names.is_video(args.source)):
        kinds = "an image" if animal else "an image or a video"
        raise Stop(f"{args.source} is not {kinds} of a format that LivePortrait knows")
    folder = Path(args.driving).absolute().parent
    if not names.is_template(args.driving) and not os.access(folder, os.W_OK):
        raise Stop(
            f"{folder} cannot be written, and the motion template goes there beside the driving; copy it elsewhere"
        )


def _read(job: Job) -> planning.Plan:
    """The passes before the last."""
    names, args = job.names, job.args
    source_fps = int(names.get_fps(args.source)) if job.source_video else None
    kind = job.driving_kind
    if kind == "template":
        fps = (job.template or {}).get("output_fps", job.config.output_fps)
    else:
        fps = int(names.get_fps(args.driving)) if kind == "video" else 25
    if job.source_video:
        reading.source(job)
    if kind != "template":
        reading.driving(job)
        say(f"motion template: {planning.template(job, fps)}; give it as -d next time and the video is not read again")
    return planning.plan(job, fps, source_fps)


def _whole(job: Job, parts: list[Path], target: Path, frames: int) -> None:
    """Join one video's segments, add the sound as upstream chooses it, and give it its name."""
    names = job.names
    silent = job.state.folder / f"joined-{target.name}"
    segments.join(parts, silent, frames)
    sound = _sound(job)
    if sound:
        heard = job.state.folder / f"sound-{target.name}"
        names.add_audio_to_video(str(silent), sound, str(heard))
        if not heard.exists() or not segments.counted(heard):
            raise Stop(f"the sound of {sound} could not be added; see ffmpeg's words above. All frames are kept")
        heard.replace(silent)
    with silent.open("rb") as written:
        os.fsync(written.fileno())
    shutil.move(silent, target)
    names.rlog(f"{target} is written{' with the sound of ' + sound if sound else ''}")


def _sound(job: Job) -> str | None:
    """Whose sound the video gets: the driving's, unless the source's is asked for or the only one."""
    names, args = job.names, job.args
    source = job.source_video and names.has_audio_stream(args.source)
    driving = job.driving_kind != "template" and names.has_audio_stream(args.driving)
    if not (source or driving):
        return None
    return str(args.driving if (driving and args.audio_priority == "driving") or not source else args.source)
