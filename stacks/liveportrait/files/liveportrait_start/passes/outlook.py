"""Before work begins: how many frames, how much disk, and what will not fit."""

from __future__ import annotations

import os

from liveportrait_start.memory import GB, measured
from liveportrait_start.passes.job import Job
from liveportrait_start.passes.making import IN_FLIGHT, VIDEOS
from liveportrait_start.passes.progress import memory_text, say
from liveportrait_start.passes.stop import Stop
from liveportrait_start.passes.video import told

ROW = 9000  # bytes of tables a frame at most: landmarks of both videos, motion, boxes
ENCODED = 0.1  # bytes a pixel of an encoded frame: x264 at CRF 18 of a busy picture; most are far smaller
FACE = 512  # pixels a side of what the networks give
BETWEEN = 4  # copies of a frame on its way: decoded, made, pasted back, put together


def outlook(job: Job) -> None:
    """Say it. Raises Stop where not even the tables fit, or a video cannot be read."""
    counts, size = [], (FACE, FACE)
    for name, path in (("source", job.args.source), ("driving", job.args.driving)):
        if not (job.source_video if name == "source" else job.driving_kind == "video"):
            continue
        try:
            meta = told(path, job.open_)
        except (OSError, RuntimeError, IndexError, StopIteration) as error:
            raise Stop(f"{path} cannot be read as a video: {str(error).strip().splitlines()[0]}") from None
        counts.append(meta["frames"])
        size = meta["size"] if name == "source" else size
    if job.template is not None and (job.template["n_frames"] > 1 or not counts):
        counts.append(int(job.template["n_frames"]))
    if not job.source_video:
        image = job.limited(job.names.load_image_rgb(job.args.source))
        size = (image.shape[1], image.shape[0])
    frames = min(counts) if counts else 1
    pixels = (size[0] * size[1] if job.paste_back else FACE * FACE) + 3 * FACE * FACE
    rows, encoded = frames * ROW, int(frames * pixels * ENCODED)
    room = os.statvfs(job.state.folder)
    free, memory = room.f_bavail * room.f_frsize, measured()
    need = rows + len(VIDEOS) * encoded  # segments, and the joined files beside them
    say(
        f"about {frames} frames by what the inputs say of themselves; batches of {job.batches.ceiling}, "
        f"{memory_text(memory, job.gpu())}; disk: at most some {need / GB:.2f} GB of {free / GB:.1f} GB free"
    )
    if rows > free:
        raise Stop(
            f"{job.state.folder} has {free / GB:.2f} GB free and the tables alone need {rows / GB:.2f}; make room"
        )
    if need > free:
        say(f"warning: {need / GB:.2f} GB may be needed in {job.state.folder} and {free / GB:.2f} are free")
    flight = IN_FLIGHT * BETWEEN * 3 * max(pixels, size[0] * size[1])
    if flight > memory.free:
        say(f"warning: frames in work may take {flight / GB:.1f} GB and {memory.free / GB:.1f} are free")
