"""Where the keypoints of each frame go: the motion of the driving laid on the source, by upstream's rules.

Every operation is in the order upstream has it, so that the numbers are the same to the bit.
"""

# ruff: noqa: ANN401  (tensors have no types here)

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

LIPS = (6, 12, 14, 17, 19, 20)
EYES = (11, 13, 15, 16, 18)
# Keypoints that an expression moves: some wholly, of others one coordinate or two.
WHOLLY = (1, 2, 6, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)
PARTLY: tuple[tuple[Any, Any], ...] = ((slice(3, 5), 1), (5, 2), (8, 2), (9, slice(1, None)))
OPEN_EYES = 0.39  # the ratio taken where the first frame's eyes are closed

Values = dict[str, Any]


def rotation(values: Values) -> Any:
    """The rotation of a row; older templates call it R_d."""
    return values["R"] if "R" in values else values["R_d"]


class Human:
    """The keypoints of a person's frames.

    names: upstream's functions. wrapper: its networks. kind: source_video and driving_video, each a bool.
    """

    def __init__(self, names: SimpleNamespace, wrapper: Any, *, source_video: bool, driving_video: bool) -> None:
        self.names = names
        self.wrapper = wrapper
        self.config = wrapper.inference_cfg
        self.source_video = source_video
        self.driving_video = driving_video
        self.first: Values | None = None  # the driving's first frame
        self.anchor: Any = None  # where the first frame's keypoints went
        self.multiplier: Any = None
        self.eyes: Any = None  # the ratio that all frames' eyes get

    def _region(self, *names: str) -> bool:
        return self.config.animation_region in names

    def begin(self, source: Values, driving: Values, smooth: Values) -> None:
        """Take note of the first frame, which the others are measured by."""
        self.first = dict(driving)
        if self.config.flag_source_video_eye_retargeting and self.source_video and source["lmk"] is not None:
            ratio = source["eyes"][0][:2].mean()
            small = ratio < self.config.source_video_eye_retargeting_threshold
            self.eyes = [[OPEN_EYES if small else ratio]]
        if (
            self.config.flag_relative_motion
            and self.config.driving_option == "expression-friendly"
            and not self.source_video
            and self.driving_video
        ):
            self.anchor = self._moved(source, driving, smooth)
            self.multiplier = self.names.calc_motion_multiplier(source["x_s"], self.anchor)

    def target(self, source: Values, driving: Values, smooth: Values) -> Any:
        """The keypoints of a frame. source, driving: its tensors. smooth: a source video's exp and R of the filter."""
        moved = self._moved(source, driving, smooth)
        if self.anchor is not None:
            moved = (moved - self.anchor) * self.multiplier + source["x_s"]
        moved = self._fitted(source, driving, moved)
        return source["x_s"] + (moved - source["x_s"]) * self.config.driving_multiplier

    def _moved(self, source: Values, driving: Values, smooth: Values) -> Any:
        """Scale, rotation, expression and shift put together, before stitching."""
        relative = self.config.flag_relative_motion
        turn = self._turn(source, driving, smooth, relative=relative)
        change = (self._relative if relative else self._absolute)(source, driving, smooth)
        scale = source["scale"]
        if relative and self._region("all") and not self.source_video:
            scale = source["scale"] * (driving["scale"] / self._first("scale"))
        shift = source["t"]
        if self._region("all", "pose"):
            if not relative:
                shift = driving["t"]
            elif not self.source_video:
                shift = source["t"] + (driving["t"] - self._first("t"))
        shift = shift.clone()
        shift[..., 2].fill_(0)
        return scale * (source["kp"] @ turn + change) + shift

    def _first(self, name: str) -> Any:
        assert self.first is not None  # noqa: S101  (begin comes before)
        return rotation(self.first) if name == "R" else self.first[name]

    def _turn(self, source: Values, driving: Values, smooth: Values, *, relative: bool) -> Any:
        if not self._region("all", "pose"):
            return source["R"]
        if self.source_video:
            return smooth["R"]
        if relative:
            return (rotation(driving) @ self._first("R").permute(0, 2, 1)) @ source["R"]
        return rotation(driving)

    def _relative(self, source: Values, driving: Values, smooth: Values) -> Any:
        """The expression where the driving's counts from its first frame on."""

        def shifted(neutral: Any) -> Any:
            base = self._first("exp") if self.driving_video else neutral
            return source["exp"] + (driving["exp"] - base)

        if self._region("all", "exp"):
            return self._parts(source, smooth["exp"]) if self.source_video else shifted(self._neutral(source["exp"]))
        change = source["exp"].clone()
        if self._region("lip"):
            self._points(change, LIPS, smooth, lambda: shifted(self._neutral(source["exp"])))
        if self._region("eyes"):
            self._points(change, EYES, smooth, lambda: shifted(0))
        return change

    def _absolute(self, source: Values, driving: Values, smooth: Values) -> Any:
        """The expression where the driving's counts as it is."""
        if self._region("all", "exp"):
            return self._parts(source, smooth["exp"] if self.source_video else driving["exp"][0])
        change = source["exp"].clone()
        for region, points in (("lip", LIPS), ("eyes", EYES)):
            if self._region(region):
                self._points(change, points, smooth, lambda: driving["exp"])
        return change

    def _neutral(self, like: Any) -> Any:
        """The expression of closed lips, from which that of a single driving image counts."""
        if self.driving_video:
            return None
        return self.names.from_numpy(self.config.lip_array).to(dtype=like.dtype, device=like.device)

    def _parts(self, source: Values, given: Any) -> Any:
        change = source["exp"].clone()
        for point in WHOLLY:
            change[:, point, :] = given[point, :]
        for point, which in PARTLY:
            change[:, point, which] = given[point, which]
        return change

    def _points(self, change: Any, points: tuple[int, ...], smooth: Values, own: Callable[[], Any]) -> None:
        given = smooth["exp"][None] if self.source_video else own()
        for point in points:
            change[:, point, :] = given[:, point, :]

    def lip_delta(self, source: Values) -> Any:
        """What closes the source's lips before it is animated; None where they are closed, or shall stay so."""
        config = self.config
        if not (config.flag_normalize_lip and config.flag_relative_motion and source["lmk"] is not None):
            return None
        ratio = self.wrapper.calc_combined_lip_ratio([0.0], source["lmk"])
        if ratio[0][0] < config.lip_normalize_threshold:
            return None
        return self.wrapper.retarget_lip(source["x_s"], ratio)

    def _eye_delta(self, source: Values) -> Any:
        if self.eyes is None:
            return None
        ratio = self.wrapper.calc_combined_eye_ratio(self.eyes, source["lmk"])
        return self.wrapper.retarget_eye(source["x_s"], ratio)

    def _fitted(self, source: Values, driving: Values, moved: Any) -> Any:
        """Stitched to the shoulders, eyes and lips as the flags want them."""
        config = self.config
        if config.flag_eye_retargeting or config.flag_lip_retargeting:
            return self._retargeted(source, driving, moved)
        if config.flag_stitching:
            moved = self.wrapper.stitching(source["x_s"], moved)
        for delta in (source["lip_delta"], self._eye_delta(source)):
            if delta is not None:
                moved = moved + delta
        return moved

    def _retargeted(self, source: Values, driving: Values, moved: Any) -> Any:
        eyes, lips = 0, 0
        if self.config.flag_eye_retargeting and source["lmk"] is not None:
            ratio = self.wrapper.calc_combined_eye_ratio(driving["eyes"], source["lmk"])
            eyes = self.wrapper.retarget_eye(source["x_s"], ratio)
        if self.config.flag_lip_retargeting and source["lmk"] is not None:
            ratio = self.wrapper.calc_combined_lip_ratio(driving["lip"], source["lmk"])
            lips = self.wrapper.retarget_lip(source["x_s"], ratio)
        moved = (source["x_s"] if self.config.flag_relative_motion else moved) + eyes + lips
        return self.wrapper.stitching(source["x_s"], moved) if self.config.flag_stitching else moved


class Animal:
    """The keypoints of an animal's frames: absolute motion, measured by the first frame."""

    def __init__(self, names: SimpleNamespace, wrapper: Any) -> None:
        self.names = names
        self.wrapper = wrapper
        self.config = wrapper.inference_cfg
        self.anchor: Any = None
        self.multiplier: Any = None

    def begin(self, source: Values, driving: Values, smooth: Values) -> None:
        """Take note of the first frame, which the others are measured by."""
        self.anchor = self._moved(source, driving)
        self.multiplier = self.names.calc_motion_multiplier(source["x_s"], self.anchor)

    def target(self, source: Values, driving: Values, smooth: Values) -> Any:
        """The keypoints of a frame."""
        moved = (self._moved(source, driving) - self.anchor) * self.multiplier + source["x_s"]
        if self.config.flag_stitching:
            moved = self.wrapper.stitching(source["x_s"], moved)
        return source["x_s"] + (moved - source["x_s"]) * self.config.driving_multiplier

    def lip_delta(self, source: Values) -> Any:
        """None: an animal's lips stay as they are."""
        return

    def _moved(self, source: Values, driving: Values) -> Any:
        shift = driving["t"].clone()
        shift[..., 2].fill_(0)
        return source["scale"] * (source["kp"] @ rotation(driving) + driving["exp"]) + shift
