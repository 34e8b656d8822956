"""One video to be made: what comes in, what is known of it, and where it goes."""

# ruff: noqa: ANN401  (upstream's objects have no types here)

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from liveportrait_start.passes.batches import Batches
from liveportrait_start.passes.progress import Gpu
from liveportrait_start.passes.state import State
from liveportrait_start.passes.stop import Stop
from liveportrait_start.passes.table import Table
from liveportrait_start.passes.upstream import named


@dataclass
class Job:
    """A run of one of upstream's pipelines, human or animal.

    pipeline: upstream's object, with its networks and cropper. args: its ArgumentConfig. template: a driving template
    that was given. gpu: bytes used and all. free_gpu: gives back what is cached there. open_: gives the frames of a
    video, upstream's own reader but in tests.
    """

    pipeline: Any
    args: Any
    names: SimpleNamespace
    animal: bool
    state: State
    batches: Batches
    at_once: int
    gpu: Gpu
    free_gpu: Callable[[], None]
    open_: Callable[[str], Any]
    template: dict[str, Any] | None = None
    tables: dict[str, Table] = field(default_factory=dict)

    @property
    def wrapper(self) -> Any:
        """Upstream's networks."""
        return named(self.pipeline, "live_portrait_wrapper_animal" if self.animal else "live_portrait_wrapper")

    @property
    def config(self) -> Any:
        """Upstream's InferenceConfig."""
        return named(self.wrapper, "inference_cfg")

    @property
    def cropper(self) -> Any:
        """Upstream's cropper, which has the CropConfig."""
        return named(self.pipeline, "cropper")

    @property
    def source_video(self) -> bool:
        """Whether the source is a video; else it is an image."""
        return bool(self.names.is_video(self.args.source)) and not self.names.is_image(self.args.source)

    @property
    def driving_kind(self) -> str:
        """template, video or image."""
        if self.names.is_template(self.args.driving):
            return "template"
        if self.names.is_video(self.args.driving):
            return "video"
        if self.names.is_image(self.args.driving) and not self.animal:
            return "image"
        raise Stop(f"{self.args.driving} is neither a video, an image nor a template (.pkl)")

    @property
    def paste_back(self) -> bool:
        """Whether the face goes back into its frame; else the result is the face alone."""
        config = self.config
        return bool(config.flag_pasteback and config.flag_do_crop and config.flag_stitching)

    @property
    def crop_driving(self) -> bool:
        """Whether the driving video is cropped: asked for, or, for people, as it is not square."""
        if self.config.flag_crop_driving_video or self.animal:
            return bool(self.config.flag_crop_driving_video)
        return not self.names.is_square_video(self.args.driving)

    def table(self, name: str) -> Table:
        """One of the tables of the state."""
        if name not in self.tables:
            self.tables[name] = Table(self.state.folder, name)
        return self.tables[name]

    def limited(self, frame: np.ndarray) -> np.ndarray:
        """A frame of the source in the size upstream works with."""
        config = self.config
        return np.asarray(self.names.resize_to_limit(frame, config.source_max_dim, config.source_division))

    def target(self, ending: str) -> Path:
        """The name of an output: OUTPUT/SOURCE--DRIVING and the ending."""
        name = f"{self.names.basename(self.args.source)}--{self.names.basename(self.args.driving)}{ending}"
        return Path(os.path.join(self.args.output_dir, name))  # noqa: PTH118  (as upstream puts it together)
