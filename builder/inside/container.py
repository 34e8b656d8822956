"""Find a running container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from builder.engine.client import Engine
from builder.errors import InputError

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")


def find(engine: Engine, name: str, *, otherwise: str = "") -> Mapping[str, Any]:
    """The engine's document of the running container of this name or id.

    otherwise: added to the fix for one that does not run; {image} in it is its image.
    Raises InputError where there is none, or it does not run.
    """
    if not _NAME.fullmatch(name):
        shown = name[:80].encode("unicode_escape").decode()
        raise InputError(f"the engine has no container {shown}: that is no name of a container", fix=_others(engine))
    known = engine.container(name)
    if known is None:
        raise InputError(f"the engine has no container {name}", fix=_others(engine))
    state = known.get("State") or {}
    if state.get("Running") and not state.get("Paused") and not state.get("Restarting"):
        return known
    status = "paused" if state.get("Paused") else str(state.get("Status") or "not running")
    if status == "paused":
        why, fix = "", f"docker unpause {name}"
    elif state.get("Restarting"):
        why, fix = "", f"it starts again and again: docker logs {name} says why"
    else:
        why = f"its exit code was {state.get('ExitCode')}"
        fix = f"docker start {name}; if it ends at once, docker logs {name} says why"
    image = str((known.get("Config") or {}).get("Image") or "")
    raise InputError(
        f"the container {name} does not run: it is {status}", why=why, fix=fix + otherwise.replace("{image}", image)
    )


def _others(engine: Engine) -> str:
    """The containers that run, for one that was misspelt."""
    names = [str(one["Names"][0]).lstrip("/") for one in engine.containers()][:20]
    if not names:
        return "start the container first: docker ps shows none that runs"
    return f"name one that runs, as docker ps shows them: {', '.join(names)}"
