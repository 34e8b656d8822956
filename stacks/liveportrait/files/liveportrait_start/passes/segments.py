"""Finished stretches of a video, each a file of its own, and the whole joined from them without encoding again."""

# ruff: noqa: ANN401  (frames and upstream's objects have no types here)

from __future__ import annotations

import os
import queue
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liveportrait_start.passes.stop import Stop

Write = Callable[..., None]  # upstream's images2video(frames, wfp=…, fps=…)


class _Coming:
    """Frames that are still being made, as the sequence that upstream's writer goes through."""

    def __init__(self, count: int, wait: Callable[[], Any]) -> None:
        self.count = count
        self.wait = wait

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> Any:
        return self.wait()


class Segment(threading.Thread):
    """Encodes frames `start` to `stop` of a video into FOLDER/NAME-START-STOP.mp4, which is whole or not there.

    put: hands over the next frame as something with `result()`. finish: waits; raises what encoding raised.
    """

    def __init__(self, folder: Path, name: str, start: int, stop: int, *, write: Write, fps: int) -> None:
        super().__init__(name=f"encode {name} {start}", daemon=True)
        self.path = folder / f"{name}-{start:08d}-{stop:08d}.mp4"
        self.count = stop - start
        self.write = write
        self.fps = fps
        self.frames: queue.Queue[Any] = queue.Queue()
        self.error: BaseException | None = None
        self.start()

    def put(self, frame: Any) -> None:
        """The next frame; None ends the encoding early."""
        self.frames.put(frame)

    def run(self) -> None:
        """Encode; for the thread."""
        aside = self.path.with_name(f"part-{self.path.name}")
        try:
            self.write(_Coming(self.count, self._next), wfp=str(aside), fps=self.fps)
            found = counted(aside) if aside.exists() else 0
            if found != self.count:
                raise OSError(f"{found} of {self.count} frames were encoded")
            with aside.open("rb") as whole:
                os.fsync(whole.fileno())
            aside.replace(self.path)
        except BaseException as error:
            self.error = error
            aside.unlink(missing_ok=True)

    def _next(self) -> Any:
        item = self.frames.get()
        if item is None:
            raise InterruptedError("the run ended")
        frame = item.result()
        getattr(item, "taken", bool)()
        return frame

    def finish(self) -> None:
        """Wait until the file is there. Raises Stop where it could not be written."""
        self.join()
        if isinstance(self.error, Stop):
            raise self.error
        if isinstance(self.error, OSError):
            free, why = _free(self.path.parent), str(self.error).splitlines()[0]
            raise Stop(
                f"{self.path.parent} cannot be written ({why}; {free / 1e9:.1f} GB are free there); "
                "make room and give the same command: it goes on where it was"
            ) from self.error
        if self.error:
            raise self.error


def _free(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def ffmpeg() -> str:
    """The ffmpeg that encodes, which the wheel of imageio-ffmpeg brings."""
    import imageio_ffmpeg  # noqa: PLC0415  (it is in the image alone)

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def counted(path: Path) -> int:
    """The frames of a video file, by its packets; 0 where it cannot be read."""
    # a line a packet; of what it copied, ffmpeg 7 tells no number of frames
    words = [ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:v:0", "-c", "copy", "-f", "framecrc", "-"]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    return 0 if done.returncode else sum(not line.startswith("#") for line in done.stdout.splitlines())


def done(folder: Path, names: list[str]) -> tuple[int, list[list[Path]]]:
    """How many frames are finished in all of the named videos, and the segments of each up to there.

    What lies beyond, or is half written, is taken away.
    """
    spans: dict[str, dict[int, tuple[int, Path]]] = {name: {} for name in names}
    for path in sorted(folder.glob("*.mp4")):
        found = re.fullmatch(r"(\w+)-(\d{8})-(\d{8})\.mp4", path.name)
        if found and found[1] in spans:
            spans[found[1]][int(found[2])] = (int(found[3]), path)
    place, kept = 0, []
    while all(place in spans[name] for name in names) and len({spans[name][place][0] for name in names}) == 1:
        kept.append([spans[name][place][1] for name in names])
        place = spans[names[0]][place][0]
    whole = {path for group in kept for path in group}
    for path in folder.glob("*.mp4"):
        if path not in whole:
            path.unlink()
    return place, [[group[which] for group in kept] for which in range(len(names))]


def join(parts: list[Path], target: Path, frames: int) -> None:
    """Put segments together into a new file, without encoding again. Raises Stop where not all frames are in it."""
    rows = "".join(f"file '{part.name}'\n" for part in parts)
    listed = parts[0].parent / f"{target.name}.txt"
    listed.write_text(rows, encoding="utf-8")
    words = [ffmpeg(), "-y", "-v", "error", "-f", "concat", "-safe", "0", "-i", str(listed), "-c", "copy"]
    ran = subprocess.run(
        [*words, "-f", "mp4", str(target)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = counted(target) if target.exists() else 0
    if ran.returncode or found != frames:
        target.unlink(missing_ok=True)
        why = ran.stderr.strip().splitlines()[-1:] or [f"{found} of {frames} frames"]
        raise Stop(
            f"the finished stretches could not be joined in {target.parent} ({why[0]}; "
            f"{_free(target.parent) / 1e9:.1f} GB are free there); make room and give the same command: "
            "nothing is made again"
        )
