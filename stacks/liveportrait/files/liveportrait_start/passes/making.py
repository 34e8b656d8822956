"""The last pass: frames are made, pasted back and put together, and go straight into encoders.

Four things run at once: decoding (a thread a video), the networks (this thread), pasting and putting together (a pool),
encoding (a process a video). At most one batch of frames is between the first and the last of them.
"""

# ruff: noqa: ANN401  (tensors and upstream's objects have no types here)

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from liveportrait_start.passes.batches import out_of_memory
from liveportrait_start.passes.faces import driving_crop, source_crop
from liveportrait_start.passes.job import Job
from liveportrait_start.passes.keypoints import Animal, Human
from liveportrait_start.passes.planning import MOTION, Plan
from liveportrait_start.passes.progress import Progress
from liveportrait_start.passes.segments import Segment
from liveportrait_start.passes.stop import Stop
from liveportrait_start.passes.upstream import named
from liveportrait_start.passes.video import Frames

VIDEOS = ("concat", "result")  # the two that upstream writes
WORKERS = max(2, min(8, (os.cpu_count() or 2) - 2))
IN_FLIGHT = 24  # frames between decoding and encoding at most, however large the batch is


@dataclass
class Still:
    """A source image: its values for all frames, its features, its crop, and what paste-back needs."""

    values: dict[str, Any]
    features: Any
    crop: np.ndarray
    image: np.ndarray
    back: np.ndarray | None
    mask: np.ndarray | None


@dataclass
class Frame:
    """What one frame is made of. source: that of the paste-back; crop, driving: 256 x 256, of the concatenation."""

    source: np.ndarray
    crop: np.ndarray
    driving: np.ndarray | None
    back: np.ndarray | None
    mask: np.ndarray | None
    values: dict[str, Any]
    features: Any
    target: Any = None


def still(job: Job) -> Still:
    """Look at a source image once. Raises Stop where no face is in it."""
    names, config, wrapper = job.names, job.config, job.wrapper
    image = job.limited(names.load_image_rgb(job.args.source))
    back = mask = None
    if config.flag_do_crop:
        cut = job.cropper.crop_source_image(image, named(job.cropper, "crop_cfg"))
        if cut is None:
            raise Stop(f"no face was found in {job.args.source}")
        lmk, crop, back = cut["lmk_crop"], cut["img_crop_256x256"], cut["M_c2o"]
    else:
        lmk = None if job.animal else job.cropper.calc_lmk_from_cropped_image(image)
        crop, _ = driving_crop(names, image, None, None)
    prepared = wrapper.prepare_source(crop)
    info = wrapper.get_kp_info(prepared)
    values = {key: info[key] for key in ("scale", "exp", "t", "kp")}
    values["R"] = names.get_rotation_matrix(info["pitch"], info["yaw"], info["roll"])
    features = wrapper.extract_feature_3d(prepared)
    values["x_s"] = wrapper.transform_keypoint(info)
    values["lmk"] = lmk
    if job.paste_back:
        mask = names.prepare_paste_back(config.mask_crop, back, dsize=(image.shape[1], image.shape[0]))
    return Still(values, features, crop, image, back, mask)


class Maker:
    """Makes the frames of a plan, stretch after stretch."""

    def __init__(self, job: Job, plan: Plan) -> None:
        self.job, self.plan = job, plan
        self.names, self.wrapper = job.names, job.wrapper
        self.device = self.wrapper.device
        self.rules = (
            Animal(self.names, self.wrapper)
            if job.animal
            else Human(self.names, self.wrapper, source_video=job.source_video, driving_video=plan.moving)
        )
        self.still = None if job.source_video else still(job)
        if self.still:
            self.still.values["lip_delta"] = self.rules.lip_delta(self.still.values)
        self.box = None
        if job.driving_kind != "template" and job.crop_driving:
            self.box = self.names.average_bbox_lst(job.table("boxes").column("box"))
        self.image = self._driving_image()
        first = self._values(0)
        self.rules.begin(first, self._driving(0), self._smooth(0))
        self.slots = threading.BoundedSemaphore(IN_FLIGHT)
        self.at_once = min(job.at_once, IN_FLIGHT // 2)
        self.made: list[Future[Any]] = []  # of this stretch

    def _driving_image(self) -> np.ndarray | None:
        """The crop of a single driving image, which is beside every frame."""
        if self.job.driving_kind != "image":
            return None
        image = self.names.load_image_rgb(self.job.args.driving)
        return driving_crop(self.names, image, self.box, None)[0]

    def _values(self, place: int) -> dict[str, Any]:
        """The source's values of a frame, on the device."""
        if self.still:
            return self.still.values
        row = self.job.table("source").row(place)
        values = self.names.dct2device({key: row[key] for key in MOTION}, self.device)
        values.update(lmk=row["lmk"], eyes=row["eyes"], back=row.get("back"), tracked=row["tracked"])
        values["lip_delta"] = self.rules.lip_delta(values)
        return dict(values)

    def _driving(self, place: int) -> dict[str, Any]:
        row = self.plan.driving.row(place if self.plan.moving else 0)
        ratios = {key: row.pop(key) for key in ("eyes", "lip") if key in row}
        row.pop("tracked", None)
        return {**self.names.dct2device(row, self.device), **ratios}

    def _smooth(self, place: int) -> dict[str, Any]:
        if not self.job.source_video:
            return {}
        return {key: self.names.tensor(rows[place]).to(self.device) for key, rows in self.plan.smooth.items()}

    def streams(self, stack: ExitStack, start: int) -> tuple[Any, Any, Any]:
        """From a frame on: the source's frames to paste into, those to crop, and the driving's."""
        job, plan = self.job, self.plan
        pasted: Any = repeat(None)
        cropped: Any = repeat(None)
        driving: Any = repeat(None)
        if job.source_video:

            def source(skipped: int) -> Any:
                frames = Frames(job.args.source, start=start + skipped, change=job.limited, open_=job.open_)
                return iter(stack.enter_context(frames))

            cropped = source(plan.source_skipped)
            if plan.source_skipped:  # upstream pastes into the frames from the first on, also where crops begin later
                pasted = source(0)
        if job.driving_kind == "video":
            frames = Frames(job.args.driving, start=start + plan.driving_skipped, open_=job.open_)
            driving = iter(stack.enter_context(frames))
        return pasted, cropped, driving

    def gather(self, place: int, pasted: np.ndarray | None, cropped: np.ndarray | None, driving: Any) -> Frame:
        """All that a frame is made of, its target keypoints too."""
        job, names = self.job, self.names
        beside = self.image if driving is None else driving_crop(names, driving, self.box, None)[0]
        values = self._values(place)
        if self.still:
            one = self.still
            frame = Frame(one.image, one.crop, beside, one.back, one.mask, values, one.features)
        else:
            assert cropped is not None  # noqa: S101  (a source video has frames)
            if job.config.flag_do_crop:
                crop = source_crop(names, job.cropper.crop_cfg, cropped, values["tracked"])["image"]
            else:
                crop, _ = driving_crop(names, cropped, None, None)
            prepared = self.wrapper.prepare_videos(np.array([crop])[..., np.newaxis])[0]
            features = self.wrapper.extract_feature_3d(prepared)
            whole = cropped if pasted is None else pasted
            frame = Frame(whole, crop, beside, values["back"], None, values, features)
        frame.target = self.rules.target(values, self._driving(place), self._smooth(place))
        return frame

    def finish(self, frame: Frame, out: Any) -> dict[str, np.ndarray]:
        """From a network's output to the frames of both videos; in the pool."""
        names = self.names
        face = self.wrapper.parse_output(out)[0]
        beside = None if frame.driving is None else [frame.driving]
        made = {"concat": names.concat_frames(beside, [frame.crop], [face])[0], "result": face}
        if self.job.paste_back:
            mask = frame.mask
            if mask is None:
                size = (frame.source.shape[1], frame.source.shape[0])
                mask = names.prepare_paste_back(self.job.config.mask_crop, frame.back, dsize=size)
            made["result"] = names.paste_back(face, frame.back, frame.source, mask)
        return made

    def networks(self, frames: list[Frame]) -> list[Any]:
        """The outputs of some frames, in one call of the networks."""
        if len(frames) == 1:
            one = frames[0]
            return [self.wrapper.warp_decode(one.features, one.values["x_s"], one.target)["out"]]
        cat = self.names.cat
        features = cat([one.features for one in frames])
        source = cat([one.values["x_s"] for one in frames])
        out = self.wrapper.warp_decode(features, source, cat([one.target for one in frames]))["out"]
        return [out[place : place + 1] for place in range(len(frames))]

    def make(self, start: int) -> None:
        """Make the frames from one on. When this returns, all are in finished segments."""
        job, plan = self.job, self.plan
        progress = Progress("making frames", plan.frames, done=start, gpu=job.gpu)
        flushing: list[Segment] = []
        with ExitStack() as stack, ThreadPoolExecutor(WORKERS, thread_name_prefix="paste") as pool:
            streams = self.streams(stack, start)
            place = start
            while place < plan.frames:
                stop = min(plan.frames, place + max(1, job.batches.next() // 2))
                if job.batches.size == 1:
                    self._finish(flushing)
                opened = [
                    Segment(job.state.folder, name, place, stop, write=self._write, fps=plan.fps) for name in VIDEOS
                ]
                try:
                    self._stretch(place, stop, streams, pool, opened, progress)
                    self._finish(flushing)  # with the stretch just made not more than a batch is unfinished
                except BaseException:
                    for one in [*flushing, *opened]:
                        one.put(None)
                    for one in [*flushing, *opened]:
                        one.join()
                    raise
                flushing, place = opened, stop
            self._finish(flushing)
        progress.end(job.batches.size)

    def _write(self, frames: Any, wfp: str, fps: int) -> None:
        self.names.images2video(frames, wfp=wfp, fps=fps)

    @staticmethod
    def _finish(segments: list[Segment]) -> None:
        for one in segments:
            one.finish()
        segments.clear()

    def _stretch(
        self, start: int, stop: int, streams: Any, pool: ThreadPoolExecutor, segments: list[Segment], progress: Progress
    ) -> None:
        """Make one stretch; a GPU without memory for a call gets half as many frames in the next, from the same on."""
        place, self.made = start, []
        waiting: list[tuple[int, list[Any]]] = []
        while place < stop or waiting:
            while place < stop and len(waiting) < self.at_once:
                self._slot(segments)
                waiting.append((place, self._read(place, streams)))
                place += 1
            now = waiting[: self.at_once]
            try:
                frames = [self.gather(which, *parts) for which, parts in now]
                outs = self.networks(frames)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                self._less(len(now))
                continue
            for frame, out in zip(frames, outs, strict=True):
                self.made.append(pool.submit(self.finish, frame, out))
                share = _Share(self.made[-1], self.slots, len(segments))
                for segment in segments:
                    segment.put(share.of(segment.path.name.partition("-")[0]))
            waiting = waiting[len(now) :]
            progress.step(len(now), self.job.batches.size)

    def _less(self, tried: int) -> None:
        """The GPU had no memory: let it finish what it has, and halve. Raises Stop where nothing is left to halve."""
        wait(self.made)
        size = self.job.batches.refused(max(tried, self.job.batches.size))
        self.at_once = max(1, min(size, tried // 2))
        self.job.free_gpu()

    @staticmethod
    def _read(place: int, streams: Any) -> list[Any]:
        parts = [next(stream, False) for stream in streams]
        if any(one is False for one in parts):
            raise Stop(f"frame {place} could not be read a second time; did an input change while this ran?")
        return parts

    def _slot(self, segments: list[Segment]) -> None:
        """Wait until there is room for one more frame. Raises what an encoder raised meanwhile."""
        while not self.slots.acquire(timeout=0.5):
            for one in segments:
                if one.error:
                    one.finish()


class _Share:
    """A frame that both encoders take; its slot is free when both have."""

    def __init__(self, made: Future[dict[str, np.ndarray]], slots: threading.BoundedSemaphore, takers: int) -> None:
        self.made, self.slots, self.left = made, slots, takers
        self.lock = threading.Lock()

    def of(self, name: str) -> _Taken:
        return _Taken(self, name)

    def take(self) -> None:
        with self.lock:
            self.left -= 1
            if not self.left:
                self.slots.release()


class _Taken:
    """One encoder's part of a share."""

    def __init__(self, share: _Share, name: str) -> None:
        self.share, self.name = share, name

    def result(self) -> np.ndarray:
        return self.share.made.result()[self.name]

    def taken(self) -> None:
        self.share.take()
