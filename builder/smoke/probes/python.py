"""The interpreter, what is installed, and what a build should not have left behind."""

from __future__ import annotations

import json
import platform
import re
import ssl
import sys
from importlib import metadata
from pathlib import Path


def timed_bytecode(root: Path) -> list[str]:
    """The .pyc files below root that are valid only while their source keeps its modification time (PEP 552)."""
    found = []
    for path in root.rglob("*.pyc"):
        with path.open("rb") as stream:
            flags = int.from_bytes(stream.read(8)[4:8], "little")
        if not flags & 1:
            found.append(str(path))
    return sorted(found)


def leftovers() -> list[str]:
    """Installers, their caches, and package lists of apt."""
    caches = [f"{home}/.cache/{tool}" for home in ("root", "home/*") for tool in ("pip", "uv")]
    tools = [f"{folder}/uv" for folder in ("opt/venv/bin", "usr/local/bin", "usr/bin", "root/.local/bin")]
    apt = ["var/lib/apt/lists/*_*", "var/cache/apt/*.bin", "var/cache/apt/archives/*.deb"]
    return sorted({str(path) for pattern in (*caches, *tools, *apt) for path in Path("/").glob(pattern)})


def roots() -> int:
    """How many certificates the system's store gives: those of its file, or of its folder, which is read at need."""
    folder = ssl.get_default_verify_paths().capath
    hashed = [one for one in Path(folder).iterdir() if re.match(r"[0-9a-f]{8}\.\d", one.name)] if folder else []
    return max(len(ssl.create_default_context().get_ca_certs()), len(hashed))


distributions = list(metadata.distributions())
print(
    json.dumps(
        {
            "version": platform.python_version(),
            "executable": sys.executable,
            "prefix": sys.prefix,
            "packages": sorted([dist.metadata["Name"] or "(no name)", dist.version or ""] for dist in distributions),
            "direct_urls": sorted(
                dist.metadata["Name"] for dist in distributions if dist.read_text("direct_url.json") is not None
            ),
            "installer_notes": sorted(str(path) for path in Path(sys.prefix).rglob("*.dist-info/uv_cache.json")),
            "timed_bytecode": timed_bytecode(Path(sys.prefix)),
            "leftovers": leftovers(),
            "roots": roots(),
        }
    )
)
