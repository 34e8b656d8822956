"""A video as a stream of frames: decoded in a thread of its own, a few frames ahead, by upstream's own reader."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

AHEAD = 6  # frames decoded and not yet taken

Change = Callable[[np.ndarray], np.ndarray]


def reader(path: str) -> Any:  # noqa: ANN401  (imageio's)
    """The reader by which upstream loads a video, so that the frames are the same to the byte."""
    import imageio  # noqa: PLC0415  (it is in the image alone)

    return imageio.get_reader(path, "ffmpeg")


class Frames:
    """The frames of a video from `start` on, each through `change`. To be closed; `with` does it.

    open: gives the frames and may have `close`. Iterating raises what decoding raised.
    """

    def __init__(
        self,
        path: str,
        *,
        start: int = 0,
        change: Change | None = None,
        open_: Callable[[str], Any] = reader,
        ahead: int = AHEAD,
    ) -> None:
        self.path = path
        self.queue: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=ahead)
        self.over = threading.Event()
        self.thread = threading.Thread(
            target=self._decode, args=(open_, start, change), name=f"decode {Path(path).name}", daemon=True
        )
        self.thread.start()

    def _decode(self, open_: Callable[[str], Any], start: int, change: Change | None) -> None:
        try:
            source = open_(self.path)
            try:
                self._hand_over(source, start, change)
            finally:
                getattr(source, "close", bool)()
            self._put(("end", None))
        except BaseException as error:
            self._put(("error", error))

    def _hand_over(self, source: Iterable[np.ndarray], start: int, change: Change | None) -> None:
        for place, frame in enumerate(source):
            if self.over.is_set():
                return
            if place >= start:
                self._put(("frame", change(frame) if change else frame))

    def _put(self, item: tuple[str, Any]) -> None:
        while not self.over.is_set():
            try:
                return self.queue.put(item, timeout=0.1)
            except queue.Full:
                continue
        return None

    def __iter__(self) -> Iterator[np.ndarray]:
        while True:
            kind, value = self.queue.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value

    def close(self) -> None:
        """End the decoding."""
        self.over.set()
        self.thread.join(timeout=10)

    def __enter__(self) -> Frames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def told(path: str, open_: Callable[[str], Any] = reader) -> dict[str, Any]:
    """What a video says of itself: size (width, height), fps, and about how many frames; 0 where it does not."""
    source = open_(path)
    try:
        meta = source.get_meta_data()
    finally:
        source.close()
    fps, duration = float(meta.get("fps") or 0), float(meta.get("duration") or 0)
    return {"size": tuple(meta.get("size") or (0, 0)), "fps": fps, "frames": round(fps * duration)}
