"""What stands for LivePortrait's torch, base and source where a rehearsal of its stacks cannot reach them.

torch for CUDA 12.8 comes from an index that cannot be reached: the default index's torch 2.8.0, which is for CUDA 12.8
too, stands for 2.7.1+cu128 (its own 2.7.1 is for 12.6, and the smoke test of `gpus` refuses it for want of 10.0 and
12.0). The base is Debian 12 with a Python 3.10.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from builder.engine.client import Engine
from builder.settings import Settings
from tests.conftest import REPO
from tests.rehearsal import sources
from tests.rehearsal.bases import python_base
from tests.rehearsal.githosts import exchanging
from tests.rehearsal.repack import StandIn, repacked
from tests.rehearsal.site import Mirrors, mirrors

# Those with a hash: left to be mounted.
MOUNTED = ["*.pth", "*.onnx"]
_STANDINS = [
    StandIn(
        "torch",
        "2.8.0",
        "2.7.1+cu128",
        # what 2.7.1 requires; its cuSPARSELt lies in another folder than that of 2.8.0
        {"nvidia-cusparselt-cu12": "0.6.3", "triton": "3.3.1"},
    ),
    StandIn("torchvision", "0.23.0", "0.22.1+cu128", {"torch": "2.7.1"}),
    StandIn("torchaudio", "2.8.0", "2.7.1+cu128", {"torch": "2.7.1"}),
]


def declared(name: str) -> dict[str, Any]:
    """What the stack file of a shipped stack says."""
    found: dict[str, Any] = yaml.safe_load((REPO / "stacks" / name / "stack.yaml").read_text())
    return found


@contextmanager
def site(name: str, files: Mapping[str, str], root: Path, engine: Engine) -> Iterator[Mirrors]:
    """The mirrors that a stack needs, until the block ends. files: of the repository that stands for its source."""
    plain = Settings(home=root / "home", stacks=())
    with mirrors(root / "site") as found:
        tag = python_base("3.10", root / "base", plain, engine)
        try:
            found.image(tag, "docker.io/library/ubuntu:22.04", engine)
        finally:
            engine.remove(tag)
        for wheel in repacked(_STANDINS, "cp310", plain, root / "wheels"):
            found.index("https://download.pytorch.org/whl/cu128", [wheel])
            wheel.unlink()
        wanted = list(sources.declared(declared(name)))
        real = sources.serve([one for one in wanted if sources.there(one[0])], found.git)
        commits = {one.commit: one.served for one in real if one.missing}
        here = {one.address for one in real}
        commits |= {commit: found.repository(git, files) for git, commit in wanted if git not in here}
        found.path = exchanging(root / "bin", commits)
        yield found
        found.forget(engine)
