"""Upstream's modules and functions by the names they have at the pin; one that is not there stops the run."""

# ruff: noqa: ANN401  (upstream's objects have no types here)

from __future__ import annotations

import importlib
import inspect
import sys
from types import SimpleNamespace
from typing import Any

from liveportrait_start.passes.stop import Stop

NAMES = {
    "src.utils.io": ("load_image_rgb", "resize_to_limit", "contiguous", "dump", "load"),
    "src.utils.video": (
        "images2video",
        "concat_frames",
        "get_fps",
        "add_audio_to_video",
        "has_audio_stream",
        "video2gif",
    ),
    "src.utils.crop": (
        "crop_image",
        "crop_image_by_bbox",
        "parse_bbox_from_landmark",
        "average_bbox_lst",
        "prepare_paste_back",
        "paste_back",
    ),
    "src.utils.helper": (
        "basename",
        "calc_motion_multiplier",
        "dct2device",
        "is_image",
        "is_square_video",
        "is_template",
        "is_video",
        "mkdir",
        "remove_suffix",
    ),
    "src.utils.camera": ("get_rotation_matrix",),
    "src.utils.filter": ("smooth",),
    "src.utils.rprint": ("rlog",),
    "cv2": ("resize", "INTER_AREA"),
    "torch": ("cat", "from_numpy", "tensor"),
    "pykalman.standard": ("_filter_predict", "_filter_correct", "_smooth_update"),
}
BARS = ("src.utils.video", "src.live_portrait_pipeline", "src.live_portrait_pipeline_animal")


def named(owner: Any, name: str) -> Any:
    """What an object of upstream's has under a name. Raises Stop where there is none."""
    try:
        return getattr(owner, name)
    except AttributeError:
        whose = getattr(owner, "__name__", type(owner).__name__)
        raise Stop(
            f"{whose} has no {name}; its commit is not the one these passes were written for. --whole runs its own way"
        ) from None


def found() -> SimpleNamespace:
    """All of NAMES in one place; process_variance of the smoothing filter as upstream's default has it."""
    here: dict[str, Any] = {}
    for module, names in NAMES.items():
        try:
            owner = importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise Stop(f"there is no module {error.name}; --whole runs upstream's own way") from None
        here.update({name: named(owner, name) for name in names})
        if module == "pykalman.standard":
            here["steps"] = owner
    variance = inspect.signature(here["smooth"]).parameters.get("process_variance")
    if variance is None or variance.default is inspect.Parameter.empty:
        raise Stop("upstream's smooth has no process_variance with a default; --whole runs its own way")
    return SimpleNamespace(**here, process_variance=variance.default)


def quiet() -> None:
    """No progress bars of upstream's: they are of one batch, and two at once are refused by rich."""
    for module in BARS:
        if module in sys.modules and hasattr(sys.modules[module], "track"):
            sys.modules[module].track = lambda things, **_: things  # type: ignore[attr-defined]
