"""A thin pipeline from a template: the forge starts `make`, and all that is decided is decided there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from builder.errors import InputError
from builder.files import write_atomic
from builder.registry.descriptor import address
from builder.render.dockerfile import environment
from builder.settings import Settings

Provider = Literal["github", "gitlab"]
PLACES: dict[Provider, str] = {"github": ".github/workflows/modelstacks.yml", "gitlab": ".gitlab-ci.yml"}
_MARK = "# Made by `make ci`"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


def labels(text: str) -> list[str]:
    """The labels of a runner, by comma. Raises InputError for one that is none."""
    found = [word for word in text.replace(",", " ").split() if word]
    if not found or not all(_LABEL.fullmatch(word) for word in found):
        raise InputError(f"{text[:200]!r} are no labels of a runner", fix="write them by comma: self-hosted,gpu")
    return found


def branch_name(text: str) -> str:
    """The name of a branch. Raises InputError for one that could be more than a word."""
    if not _BRANCH.fullmatch(text):
        raise InputError(f"{text[:200]!r} is no branch", fix="name the branch whose images are published: main")
    return text


def write(
    provider: Provider, registry: str, branch: str, cpu: list[str], gpu: list[str], out: Path | None, settings: Settings
) -> Path:
    """Write the pipeline; gives where. Raises InputError where a file that is not ours stands there."""
    address(registry)
    place = out or Path(PLACES[provider])
    if place.exists() and _MARK not in place.read_text(encoding="utf-8", errors="replace")[:500]:
        raise InputError("a file that `make ci` did not write stands there", where=str(place), fix="OUT=another file")
    template = environment(settings.templates).get_template(f"ci/{provider}.j2")
    write_atomic(place, template.render(registry=registry, branch=branch_name(branch), cpu=cpu, gpu=gpu))
    return place
