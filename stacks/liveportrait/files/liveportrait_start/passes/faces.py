"""The face of each frame: found once, then followed from frame to frame, and cut out; by upstream's functions."""

# ruff: noqa: ANN401  (upstream's objects have no types here)

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from liveportrait_start.passes.upstream import named

SIDE = 256  # pixels of what the networks take
DRIVING_SIDE = 512  # of a cropped driving frame before that, crop_driving_video's default


class Follower:
    """Landmarks of one frame after another.

    last: those of the frame before, where a run goes on. choice: how one of several faces is chosen, for the detector.
    """

    def __init__(self, names: SimpleNamespace, cropper: Any, last: np.ndarray | None, **choice: Any) -> None:
        self.names = names
        self.detect = named(named(cropper, "face_analysis_wrapper"), "get")
        self.refine = named(named(cropper, "human_landmark_runner"), "run")
        self.last = last
        self.choice = {"direction": "large-small", **choice}

    def landmarks(self, frame: np.ndarray) -> np.ndarray | None:
        """Those of a frame; None where no face was found in it or any frame before."""
        guess = self.last
        if guess is None:
            faces = self.detect(self.names.contiguous(frame[..., ::-1]), flag_do_landmark_2d_106=True, **self.choice)
            if len(faces) == 0:
                return None
            guess = faces[0].landmark_2d_106
        self.last = self.refine(frame, guess)
        return self.last


def source_crop(names: SimpleNamespace, config: Any, frame: np.ndarray, landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """A frame of the source, cut out around its face: image (256 x 256), landmarks in it, and `back`, from it to the
    frame."""
    cut = names.crop_image(
        frame,
        landmarks,
        dsize=config.dsize,
        scale=config.scale,
        vx_ratio=config.vx_ratio,
        vy_ratio=config.vy_ratio,
        flag_do_rot=config.flag_do_rot,
    )
    return {
        "image": names.resize(cut["img_crop"], (SIDE, SIDE), interpolation=names.INTER_AREA),
        "landmarks": cut["pt_crop"] * SIDE / config.dsize,
        "back": cut["M_c2o"],
    }


def driving_box(names: SimpleNamespace, config: Any, landmarks: np.ndarray) -> np.ndarray:
    """Left, top, right and bottom of the face in a driving frame."""
    corners = names.parse_bbox_from_landmark(
        landmarks,
        scale=config.scale_crop_driving_video,
        vx_ratio_crop_driving_video=config.vx_ratio_crop_driving_video,
        vy_ratio=config.vy_ratio_crop_driving_video,
    )["bbox"]
    return np.array([corners[0, 0], corners[0, 1], corners[2, 0], corners[2, 1]])


def driving_crop(
    names: SimpleNamespace, frame: np.ndarray, box: Any, landmarks: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """A driving frame as the networks take it, and its landmarks there. box: what is cut out, None for the whole."""
    if box is None:
        return names.resize(frame, (SIDE, SIDE)), landmarks
    cut = names.crop_image_by_bbox(frame, box, lmk=landmarks, dsize=DRIVING_SIDE, flag_rot=False, borderValue=(0, 0, 0))
    return names.resize(cut["img_crop"], (SIDE, SIDE)), cut["lmk_crop"]
