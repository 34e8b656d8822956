"""Several jobs at once, each given up after a time; a job that hangs keeps nobody from going on."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
_AT_ONCE = 32  # threads, which mostly wait


def run(jobs: Sequence[Callable[[], T]], seconds: float, done: Callable[[int, T | None], None]) -> list[T | None]:
    """The results in order, None for a job that took longer than `seconds`.

    done: told of each as it ends, by its position. The first exception of a job is raised here.
    """
    results: list[T | None] = [None] * len(jobs)
    for start in range(0, len(jobs), _AT_ONCE):
        _batch(jobs, range(start, min(start + _AT_ONCE, len(jobs))), seconds, results, done)
    return results


def _batch(
    jobs: Sequence[Callable[[], T]],
    which: range,
    seconds: float,
    results: list[T | None],
    done: Callable[[int, T | None], None],
) -> None:
    ended: queue.Queue[tuple[int, T | None, BaseException | None]] = queue.Queue()

    def work(number: int) -> None:
        try:
            ended.put((number, jobs[number](), None))
        except BaseException as error:  # handed to the caller below
            ended.put((number, None, error))

    for number in which:
        threading.Thread(target=work, args=(number,), daemon=True, name=f"doctor-{number}").start()
    deadline, waiting = time.monotonic() + seconds, set(which)
    while waiting:
        try:
            number, result, error = ended.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            break
        if error is not None:
            raise error
        waiting.discard(number)
        results[number] = result
        done(number, result)
    for number in sorted(waiting):
        done(number, None)
