"""python -m liveportrait_start.run PROGRAM.py …: one of upstream's programs, with the functions of fixes.py.

inference.py and inference_animals.py animate in passes; --whole has them do it upstream's own way.
"""

# ruff: noqa: ANN401  (upstream's objects have no types here)

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path
from typing import Any

from liveportrait_start import fixes
from liveportrait_start.passes.execute import replacement
from liveportrait_start.passes.options import PROGRAMS, Options, split

PIPELINES = (
    ("inference.py", "src.live_portrait_pipeline", "LivePortraitPipeline", False),
    ("inference_animals.py", "src.live_portrait_pipeline_animal", "LivePortraitPipelineAnimal", True),
)


def replace(owner: Any, name: str, function: Any) -> None:
    """Put a function in the place of one that must be there. Raises SystemExit where upstream has another shape."""
    if not callable(getattr(owner, name, None)):
        whose = getattr(owner, "__name__", owner)
        raise SystemExit(f"liveportrait: {whose} has no {name}; its commit is not the one this start was written for")
    setattr(owner, name, function)


def apply() -> None:
    """Replace torch.from_numpy and upstream's dct2device, dump and prepare_videos, before a program imports them."""
    torch = importlib.import_module("torch")
    replace(torch, "from_numpy", fixes.from_numpy_of(torch))
    replace(importlib.import_module("src.utils.helper"), "dct2device", fixes.dct2device_of(torch))
    replace(importlib.import_module("src.utils.io"), "dump", fixes.dump)
    wrapper = importlib.import_module("src.live_portrait_wrapper").LivePortraitWrapper
    replace(wrapper, "prepare_videos", fixes.batched(wrapper.prepare_videos))


def in_passes(program: str, options: Options) -> None:
    """Have a program's pipeline animate in passes (liveportrait_start.passes)."""
    for name, module, owner, animal in PIPELINES:
        if name == program:
            pipeline = getattr(importlib.import_module(module), owner, None)
            replace(pipeline, "execute", replacement(getattr(pipeline, "execute", None), options, animal=animal))


def main(arguments: list[str]) -> None:
    """Run the program file that comes first, with the arguments after it."""
    program = Path(arguments[0])
    if not program.is_file():
        raise SystemExit(f"liveportrait: there is no {program.absolute()}")
    options = Options()
    if program.name in PROGRAMS:
        options, rest = split(arguments[1:])
        arguments = [arguments[0], *rest]
    sys.argv = arguments
    sys.path.insert(0, str(program.absolute().parent))
    if (program.parent / "src" / "live_portrait_wrapper.py").is_file():
        apply()
        in_passes(program.name, options)
    runpy.run_path(str(program), run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
