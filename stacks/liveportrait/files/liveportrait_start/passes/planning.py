"""Between reading and making: how many frames there are, the motion template, and the smoothed motion of all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liveportrait_start.fixes import plain
from liveportrait_start.passes.job import Job
from liveportrait_start.passes.smoothing import smoothed
from liveportrait_start.passes.stop import Stop

MOTION = ("scale", "R", "exp", "t", "kp", "x_s")


class Driving:
    """The motion of the driving, row by row: of a template, or of the table that was read. count: its rows."""

    def __init__(self, job: Job) -> None:
        self.template = job.template
        self.table = job.table("driving")
        self.count = int(job.template["n_frames"]) if job.template else len(self.table)

    def row(self, place: int) -> dict[str, Any]:
        """scale, R, exp, t and, where known, the ratios `eyes` and `lip`."""
        if not self.template:
            return self.table.row(place)
        row = {key: plain(value) for key, value in self.template["motion"][place].items()}
        for key, names in (("eyes", ("c_eyes_lst", "c_d_eyes_lst")), ("lip", ("c_lip_lst", "c_d_lip_lst"))):
            for name in names:
                if name in self.template:
                    row[key] = self.template[name][place]
                    break
        return row


@dataclass
class Plan:
    """frames: how many are made. fps: their rate. moving: whether the driving is a video. source_skipped,
    driving_skipped: frames without a face at the beginning, which upstream leaves out. smooth: exp and R a frame."""

    frames: int
    fps: int
    moving: bool
    source_skipped: int
    driving_skipped: int
    driving: Driving
    smooth: dict[str, np.ndarray]


def template(job: Job, fps: int) -> Path:
    """Write the motion template beside the driving video, as upstream does, once."""
    table = job.table("driving")
    target = Path(job.names.remove_suffix(job.args.driving) + ".pkl")
    if job.state.notes.get("template"):
        return target
    fields = MOTION[:4] if job.animal else MOTION
    made: dict[str, Any] = {"n_frames": len(table), "output_fps": fps, "motion": []}
    if not job.animal:
        made.update(c_eyes_lst=[], c_lip_lst=[])
    for start in range(0, len(table), 1024):
        for row in table.rows(start, start + 1024):
            made["motion"].append({key: row[key] for key in fields})
            if not job.animal:
                made["c_eyes_lst"].append(row["eyes"].astype(np.float32))
                made["c_lip_lst"].append(row["lip"].astype(np.float32))
    job.names.dump(str(target), made)
    job.state.note(template=True)
    return target


def plan(job: Job, driving_fps: int, source_fps: int | None) -> Plan:
    """Count the frames as upstream does and smooth their motion. Raises Stop where none are left."""
    driving = Driving(job)
    notes = job.state.notes
    moving = job.driving_kind == "video" or (job.driving_kind == "template" and driving.count > 1)
    driving_skipped = int(notes.get("boxes_skipped", 0)) if job.driving_kind != "template" else 0
    source_skipped = 0
    frames = driving.count
    if job.source_video:
        source_skipped = int(notes.get("source_skipped", 0))
        frames = int(notes["source_frames"]) - source_skipped - (driving_skipped if moving else 0)
    if frames < 1:
        raise Stop("no frame is left in which both videos have a face; see where each begins to show one")
    fps = source_fps if job.source_video and source_fps is not None else driving_fps
    smooth = _smooth(job, driving, frames, moving=moving) if job.source_video else {}
    return Plan(frames, fps, moving, source_skipped, driving_skipped, driving, smooth)


def _smooth(job: Job, driving: Driving, frames: int, *, moving: bool) -> dict[str, np.ndarray]:
    """exp and R of all frames of a source video; kept in the state, so that a later machine has the same."""
    kept = job.state.folder / "smooth.npz"
    if not kept.exists():
        made = {"exp": _expressions(job, driving, frames, moving=moving)}
        if job.config.animation_region in ("all", "pose"):
            made["R"] = _rotations(job, driving, frames, moving=moving)
        aside = kept.with_name("smooth.part")
        with aside.open("wb") as out:
            np.savez(out, **made)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(kept)
    with np.load(kept) as held:
        return {key: held[key] for key in held}


def _filtered(job: Job, values: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    rows = np.vstack([one.reshape(-1) for one in values])
    variance = job.config.driving_smooth_observation_variance
    means = smoothed(rows, variance, job.names.process_variance, job.names.steps)
    return means.reshape(len(values), *shape).astype(np.float32)


def _expressions(job: Job, driving: Driving, frames: int, *, moving: bool) -> np.ndarray:
    own = job.table("source").column("exp")
    first = driving.row(0)["exp"]
    relative = job.config.flag_relative_motion
    if moving and relative:
        values = [own[place] + driving.row(place)["exp"] - first for place in range(frames)]
    elif moving:
        values = [driving.row(place)["exp"] for place in range(frames)]
    else:
        single = [own[place] + (first - job.config.lip_array) if relative else first for place in range(frames)]
        return np.array([one[0] for one in single], dtype=np.float32)
    return _filtered(job, values, own.shape[-2:])


def _rotations(job: Job, driving: Driving, frames: int, *, moving: bool) -> np.ndarray:
    table = job.table("source")

    def own(place: int) -> np.ndarray:
        return table.row(place)["R"]

    def turn(place: int) -> np.ndarray:
        row = driving.row(place)
        return np.asarray(row["R"] if "R" in row else row["R_d"])

    first = turn(0)
    relative = job.config.flag_relative_motion
    if moving and relative:
        values = [np.dot(turn(place), first.transpose(0, 2, 1)) @ own(place) for place in range(frames)]
    elif moving:
        values = [turn(place) for place in range(frames)]
    else:
        return np.array([(own(place) if relative else first)[0] for place in range(frames)], dtype=np.float32)
    return _filtered(job, values, first.shape[-2:])
