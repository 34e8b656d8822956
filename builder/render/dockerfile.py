"""The text of a Dockerfile, from small Jinja templates; no IO beyond reading the templates."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from builder.files import sha256_text
from builder.lock.model import LockedBase, StackLock
from builder.render.groups import grouped
from builder.spec.model import Stack

# One fixed date for every file made in a build: the earliest a wheel's zip can carry. It is not the lock's
# epoch, because a new lock must not invalidate the stages whose wheels did not change.
CLAMP = "@315532800"
# Raised when a bootstrapped base would come out otherwise from the same files.
_BASE_RECIPE = 1


@cache
def base_key(base: LockedBase) -> str:
    """64 hex digits that name a base by everything it is made of."""
    values = [_BASE_RECIPE, _ingredients(base)] if base.kind == "bootstrap" else [base.digest]
    return sha256_text(json.dumps(values, sort_keys=True))


def _ingredients(base: LockedBase) -> dict[str, Any]:
    """What a bootstrapped base is made of; fields that came later and have no part in it are left out."""
    values = asdict(base)
    del values["blobs"]
    for deb in values["debs"]:
        del deb["seen"]
    return values


def base_tag(base: LockedBase) -> str:
    """The name under which the engine holds the base, e.g. modelstacks/base:debian-0123456789ab."""
    return f"modelstacks/base:{base.distribution or 'image'}-{base_key(base)[:12]}"


def build_key(stack: Stack, lock: StackLock, templates: Path) -> str:
    """What an image is made of, as sha256:…: the text of its Dockerfile (which names the base) and its lock."""
    return "sha256:" + sha256_text(f"{dockerfile(stack, lock, templates)}\n{lock.digest}")


def mounts(stack: Stack) -> str:
    """The files that who runs the image has to mount, as JSON for the label io.modelstacks.mounts; "" for none."""
    rows = [
        {"path": f"{weight.into.rstrip('/')}/{weight.filename}"}
        | {key: value for key, value in (("licence", weight.licence), ("sha256", weight.sha256)) if value}
        for weight in stack.mounted
    ]
    # A single quote would end the text in the Dockerfile.
    return json.dumps(rows, sort_keys=True).replace("'", "\\u0027") if rows else ""


def dockerfile(stack: Stack, lock: StackLock, templates: Path) -> str:
    """The Dockerfile of a stack. Raises jinja2.UndefinedError where a template names a value that is not there."""
    groups = grouped(lock.wheels)
    layers = [group.name for group in groups]
    layers += [name for name, there in (("sources", lock.sources), ("weights", lock.weights)) if there]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is a Dockerfile, its values are held to patterns by spec
    )
    return environment.get_template("Dockerfile.j2").render(
        stack=stack,
        lock=lock,
        groups=groups,
        layers=layers,
        clamp=CLAMP,
        base_tag=base_tag(lock.base),
        base_name=lock.base.reference.split("@")[0] or base_tag(lock.base).split(":")[0],
        base_has_python=any(deb.project == "python3" for deb in lock.base.debs),
        version=datetime.fromtimestamp(lock.epoch, timezone.utc).strftime("%Y.%m.%d"),
        library_folders=[f"{stack.site_packages}/{folder}" for folder in stack.libraries],
        sources=[(source, item.filename) for source, item in zip(stack.sources, lock.sources, strict=True)],
        weights=[
            (weight, item.filename, weight.filename) for weight, item in zip(stack.baked, lock.weights, strict=True)
        ],
        mounts=mounts(stack),
    )
