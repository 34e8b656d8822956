"""The names of a base, from everything it is made of. No IO here."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from typing import Any

from builder.files import sha256_text
from builder.lock.model import LockedBase, StackLock

# Raised when a bootstrapped base would come out otherwise from the same files.
_BASE_RECIPE = 1


@cache
def base_key(base: LockedBase) -> str:
    """64 hex digits that name a base by everything it is made of."""
    values = [_BASE_RECIPE, _ingredients(base)] if base.kind == "bootstrap" else _identity(base)
    return sha256_text(json.dumps(values, sort_keys=True))


def _identity(base: LockedBase) -> list[str]:
    """What an image is known by: its digest and, where that is of a list by platform, that of its own manifest.

    The manifest names the configuration and every layer by digest; `build` holds the fetched blobs to it.
    """
    manifest = [f"sha256:{blob.sha256}" for blob in base.blobs[:1]]
    return [base.digest, *(one for one in manifest if one != base.digest)]


def _ingredients(base: LockedBase) -> dict[str, Any]:
    """What a bootstrapped base is made of; fields that came later and have no part in it are left out."""
    values = asdict(base)
    del values["blobs"]
    for deb, item in zip(values["debs"], base.debs, strict=True):
        del deb["seen"]
        deb["origin"] = str(item.origin)
    return values


def base_tag(base: LockedBase) -> str:
    """The name under which the engine holds the base, e.g. modelstacks/base:debian-0123456789ab."""
    return f"modelstacks/base:{base.distribution or 'image'}-{base_key(base)[:12]}"


def base_has_python(lock: StackLock) -> bool:
    """Whether the base itself has the interpreter, and not the system packages put on top of it."""
    return any(deb.project == "python3" for deb in lock.base.debs)
