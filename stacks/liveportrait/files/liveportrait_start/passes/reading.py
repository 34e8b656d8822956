"""The first passes: what must be known of every frame before the first can be made, a few KB each."""

# ruff: noqa: ANN401  (upstream's objects have no types here)

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

import numpy as np

from liveportrait_start.passes.batches import out_of_memory
from liveportrait_start.passes.faces import Follower, driving_box, driving_crop, source_crop
from liveportrait_start.passes.job import Job
from liveportrait_start.passes.progress import Progress
from liveportrait_start.passes.stop import Stop
from liveportrait_start.passes.upstream import named
from liveportrait_start.passes.video import Frames, told

Row = dict[str, Any]


def motions(job: Job, crops: list[np.ndarray], ratios: list[dict[str, Any]]) -> list[Row]:
    """What upstream's motion template says of some frames, given 256 x 256, with their eye and lip ratios."""
    prepared = job.wrapper.prepare_videos(np.array(crops)[..., np.newaxis])
    make = named(job.pipeline, "make_motion_template")
    if job.animal:
        made = make(prepared)
    else:
        made = make(prepared, [one["eyes"] for one in ratios], [one["lip"] for one in ratios])
    return [{**row, **more} for row, more in zip(made["motion"], ratios, strict=True)]


def ratios(job: Job, landmarks: np.ndarray) -> dict[str, Any]:
    """How far eyes and lips are open."""
    eyes, lips = job.wrapper.calc_ratio([landmarks])
    return {"eyes": eyes[0], "lip": lips[0]}


class _Pass:
    """One pass over a video into a table: rows are made in batches, each on disk before the next begins."""

    def __init__(self, job: Job, name: str, what: str, total: int) -> None:
        self.job = job
        self.name = name
        self.table = job.table(name)
        self.skipped = int(job.state.notes.get(f"{name}_skipped", 0)) if len(self.table) else 0
        self.start = self.skipped + len(self.table) if len(self.table) else 0
        self.progress = Progress(what, total, done=self.start, gpu=job.gpu)
        self.seen = self.start
        self.waiting: list[Any] = []
        self.batch = job.batches.next()

    @property
    def over(self) -> bool:
        return f"{self.name}_frames" in self.job.state.notes

    def no_face(self) -> None:
        """A frame before the first face, which upstream leaves out."""
        self.seen += 1
        self.skipped += 1
        self.progress.step(1, self.batch)

    def add(self, item: Any, rows: Callable[[list[Any]], list[Row]]) -> None:
        """What is known of one more frame; a full batch becomes rows."""
        self.seen += 1
        self.waiting.append(item)
        self.progress.step(1, self.batch)
        if len(self.waiting) >= self.batch:
            self._flush(rows)

    def _flush(self, rows: Callable[[list[Any]], list[Row]]) -> None:
        if not len(self.table):
            self.job.state.note(**{f"{self.name}_skipped": self.skipped})
        self.table.append(self._rows(rows))
        self.waiting = []
        self.batch = self.job.batches.next()

    def _rows(self, rows: Callable[[list[Any]], list[Row]]) -> list[Row]:
        """The rows of all that waits; where the GPU has no memory for so many, in parts."""
        made: list[Row] = []
        count = len(self.waiting)
        while len(made) < len(self.waiting):
            try:
                made += rows(self.waiting[len(made) : len(made) + count])
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                count = self.job.batches.refused(count)
                self.job.free_gpu()
        return made

    def end(self, rows: Callable[[list[Any]], list[Row]]) -> None:
        """The video is over."""
        if self.waiting:
            self._flush(rows)
        self.job.state.note(**{f"{self.name}_frames": self.seen, f"{self.name}_skipped": self.skipped})
        self.progress.end(self.batch)


def source(job: Job) -> None:
    """Read a source video into the table `source`: as many frames as it and the driving video both have."""
    config, crop_config = job.config, named(job.cropper, "crop_cfg")
    reading = _Pass(job, "source", "reading the source", told(job.args.source, job.open_)["frames"])
    if reading.over:
        return
    choice = (
        {"direction": crop_config.direction, "max_face_num": crop_config.max_face_num} if config.flag_do_crop else {}
    )
    last = reading.table.row(len(reading.table) - 1)["tracked"] if len(reading.table) else None
    follower = Follower(job.names, job.cropper, last, **choice)

    def rows(items: list[tuple[np.ndarray, Row]]) -> list[Row]:
        made = motions(job, [image for image, _ in items], [ratios(job, row["lmk"]) for _, row in items])
        return [{**one, **row} for one, (_, row) in zip(made, items, strict=True)]

    for frame in _side_by_side(job, reading.start):
        tracked = follower.landmarks(frame)
        if tracked is None:
            if not config.flag_do_crop:
                raise Stop(f"no face was found in the first frame of {job.args.source}, which is not to be cropped")
            reading.no_face()
        elif config.flag_do_crop:
            cut = source_crop(job.names, crop_config, frame, tracked)
            reading.add((cut["image"], {"tracked": tracked, "lmk": cut["landmarks"], "back": cut["back"]}), rows)
        else:
            image, _ = driving_crop(job.names, frame, None, None)
            reading.add((image, {"tracked": tracked, "lmk": tracked}), rows)
    reading.end(rows)
    if not len(reading.table):
        raise Stop(f"no face was found in any frame of {job.args.source}")


def _side_by_side(job: Job, start: int) -> Iterator[np.ndarray]:
    """The source's frames, ending where the driving video or template ends; one driving image is for all of them."""
    with ExitStack() as stack:
        frames = Frames(job.args.source, start=start, change=job.limited, open_=job.open_)
        others: Iterable[Any] = iter(stack.enter_context(frames))
        if job.driving_kind == "video":
            driving = stack.enter_context(Frames(job.args.driving, start=start, open_=job.open_))
            others = (frame for frame, _ in zip(others, driving))  # noqa: B905  (the shorter one counts)
        elif job.template is not None and job.template["n_frames"] > 1:
            others = islice(others, max(0, job.template["n_frames"] - start))
        yield from others


def driving(job: Job) -> None:
    """Read a driving video or image into the table `driving`; where it is cropped, first its faces into `boxes`."""
    kind = job.driving_kind
    total = int(job.state.notes.get("source_frames", 0)) if job.source_video and kind == "video" else 0
    most = total or None
    guess = total or (told(job.args.driving, job.open_)["frames"] if kind == "video" else 1)
    box, known = None, None
    if job.crop_driving:
        _boxes(job, most, guess)
        known = job.table("boxes")
        box = job.names.average_bbox_lst(known.column("box"))
    reading = _Pass(job, "driving", "motion of the driving", guess)
    if reading.over:
        return
    hidden = int(job.state.notes.get("boxes_skipped", 0)) if box is not None else 0
    tracked = reading.table.row(len(reading.table) - 1)["tracked"] if _tracks(job, box) and len(reading.table) else None
    follower = Follower(job.names, job.cropper, tracked) if _tracks(job, box) else None

    def rows(items: list[tuple[np.ndarray, Row, Any]]) -> list[Row]:
        more = [{} if lmk is None else ratios(job, lmk) for _, _, lmk in items]
        made = motions(job, [image for image, _, _ in items], more)
        return [{**one, **row} for one, (_, row, _) in zip(made, items, strict=True)]

    for frame in _driving_frames(job, reading.start + hidden, most):
        row: Row = {}
        if box is not None and known is not None:
            lmk = known.row(reading.seen)["lmk"]
        else:
            lmk = follower.landmarks(frame) if follower else None
            if follower and lmk is None:
                raise Stop(f"no face was found in the first frame of {job.args.driving}; try --flag-crop-driving-video")
            row = {"tracked": lmk} if follower else {}
        image, lmk = driving_crop(job.names, frame, box, lmk)
        reading.add((image, row, None if job.animal else lmk), rows)
    reading.end(rows)
    if not len(reading.table):
        raise Stop(f"{job.args.driving} has no frames that can be read")


def _tracks(job: Job, box: Any) -> bool:
    return not job.animal and box is None


def _driving_frames(job: Job, start: int, most: int | None) -> Iterator[np.ndarray]:
    """The driving's frames, at most so many of the video."""
    if job.driving_kind == "image":
        yield from [job.names.load_image_rgb(job.args.driving)][start:]
        return
    with Frames(job.args.driving, start=start, open_=job.open_) as frames:
        yield from islice(frames, None if most is None else max(0, most - start))


def _boxes(job: Job, most: int | None, guess: int) -> None:
    """Find the face in each driving frame; the mean of their boxes is what is cut out of all."""
    reading = _Pass(job, "boxes", "faces of the driving", guess)
    if reading.over:
        return
    last = reading.table.row(len(reading.table) - 1)["lmk"] if len(reading.table) else None
    follower = Follower(job.names, job.cropper, last)
    config = named(job.cropper, "crop_cfg")
    for frame in _driving_frames(job, reading.start, most):
        lmk = follower.landmarks(frame)
        if lmk is None:
            reading.no_face()
        else:
            reading.add({"lmk": lmk, "box": driving_box(job.names, config, lmk)}, list)
    reading.end(list)
    if not len(reading.table):
        raise Stop(f"no face was found in {job.args.driving}")
