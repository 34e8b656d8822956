"""Sent into a container: what its Python has installed, as one JSON document. Imports nothing of it, writes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path


def packages() -> list[dict[str, object]]:
    """Each distribution once, where it was installed from, and whether Debian did it."""
    found: dict[str, dict[str, object]] = {}
    for one in metadata.distributions():
        name = one.metadata["Name"]
        if not name or name in found:
            continue
        direct = one.read_text("direct_url.json")
        folder = str(getattr(one, "_path", ""))
        found[name] = {
            "name": name,
            "version": one.version,
            "direct": json.loads(direct) if direct else None,
            "debian": "/dist-packages/" in folder and "/local/" not in folder,
        }
    return sorted(found.values(), key=lambda one: str(one["name"]).lower())


def torch() -> dict[str, str]:
    """The build of torch, from its version.py, which is read and not imported."""
    for folder in sys.path:
        path = Path(folder, "torch", "version.py")
        if path.is_file():
            text = path.read_text("utf-8", "replace")
            found = dict(re.findall(r"(?m)^(__version__|cuda)\b[^=\n]*= *'([^'\n]*)'", text))
            return {"version": found.get("__version__", ""), "cuda": found.get("cuda", "")}
    return {}


def manual() -> list[str]:
    """The packages that somebody asked apt for."""
    try:
        said = subprocess.run(["apt-mark", "showmanual"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return []
    return sorted(said.stdout.split())


print(
    json.dumps(
        {
            "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
            "packages": packages(),
            "torch": torch(),
            "manual": manual(),
            "loader": [one for one in os.environ.get("LD_LIBRARY_PATH", "").split(":") if one],
        }
    )
)
