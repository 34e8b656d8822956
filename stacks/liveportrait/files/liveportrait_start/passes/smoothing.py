"""Upstream's smoothing filter over a whole sequence, with the memory of one frame's matrices in place of all frames'.

pykalman keeps five square matrices a frame: at 63 numbers a frame 160 KB. They do not depend on what was measured, and
after some tens of frames each is the one before, to the bit. So every distinct one is kept once, and of each frame its
means alone. The steps are pykalman's own functions, and so are the bits.
"""

# ruff: noqa: ANN401  (pykalman's functions have no types)

from __future__ import annotations

from typing import Any

import numpy as np


class _Matrices:
    """The matrices of a step, kept once for all frames that have the same ones."""

    def __init__(self, steps: Any, process: np.ndarray, observed: np.ndarray) -> None:
        self.steps = steps
        self.process = process
        self.observed = observed
        size = len(process)
        self.one, self.none = np.eye(size), np.zeros(size)
        self.predicted: list[np.ndarray] = [np.eye(size)]
        self.gains: list[np.ndarray] = []
        self.filtered: list[np.ndarray] = []
        self.next: list[int] = []
        self.smoothing: dict[int, np.ndarray] = {}
        self._correct(0)

    def _correct(self, which: int) -> None:
        gain, _, filtered = self.steps._filter_correct(
            self.one, self.observed, self.none, self.none, self.predicted[which], self.none
        )
        self.gains.append(gain)
        self.filtered.append(filtered)
        self.next.append(-1)

    def after(self, which: int) -> int:
        """The matrices of the frame after one that has `which`."""
        if self.next[which] < 0:
            _, predicted = self.steps._filter_predict(
                self.one, self.process, self.none, self.none, self.filtered[which]
            )
            for known, one in enumerate(self.predicted):
                if np.array_equal(one, predicted):
                    self.next[which] = known
                    break
            else:
                self.predicted.append(predicted)
                self.next[which] = len(self.predicted) - 1
                self._correct(self.next[which])
        return self.next[which]

    def back(self, which: int, following: int) -> np.ndarray:
        """The smoothing gain of a frame that has `which`, where the one after it has `following`."""
        if which not in self.smoothing:
            _, _, self.smoothing[which] = self.steps._smooth_update(
                self.one,
                self.none,
                self.filtered[which],
                self.none,
                self.predicted[following],
                self.none,
                self.filtered[following],
            )
        return self.smoothing[which]


def smoothed(values: np.ndarray, observation_variance: float, process_variance: float, steps: Any) -> np.ndarray:
    """The smoothed rows of an array (frames, numbers), as pykalman's KalmanFilter.smooth gives them to the bit.

    steps: the module pykalman.standard, or one with its _filter_predict, _filter_correct and _smooth_update.
    """
    frames, size = values.shape
    matrices = _Matrices(steps, process_variance * np.eye(size), observation_variance * np.eye(size))
    which = np.zeros(frames, dtype=np.int32)
    predicted, filtered = np.zeros((frames, size)), np.zeros((frames, size))
    predicted[0] = values[0]
    for place in range(frames):
        if place:
            which[place] = matrices.after(int(which[place - 1]))
            predicted[place] = filtered[place - 1]  # the state is expected to stay as it is
        gain = matrices.gains[which[place]]
        filtered[place] = predicted[place] + np.dot(gain, values[place] - predicted[place])
    for place in reversed(range(frames - 1)):  # from here on filtered holds smoothed rows, from its end
        gain = matrices.back(int(which[place]), int(which[place + 1]))
        filtered[place] = filtered[place] + np.dot(gain, filtered[place + 1] - predicted[place + 1])
    return filtered
