"""Which images an engine has, asked quickly: by one command, without the SDK, and without waiting for a far engine."""

from __future__ import annotations

import subprocess

_PATIENCE = 5.0  # seconds; what is asked here is shown beside other things, and none of them waits for an engine
_FORM = "{{.Repository}}:{{.Tag}} {{.ID}}"


def tagged(prefix: str) -> dict[str, str] | None:
    """The names of the engine's images under a prefix and their ids; None where no engine answers in some seconds."""
    words = ["docker", "image", "ls", "--no-trunc", "--filter", f"reference={prefix}/*", "--format", _FORM]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    lines = done.stdout.decode(errors="replace").splitlines()
    return {name: image for name, _, image in (line.partition(" ") for line in lines)}
