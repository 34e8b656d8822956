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
        folder = str(getattr(one, "_path", ""))
        direct = one.read_text("direct_url.json") or _developed(folder)
        found[name] = {
            "name": name,
            "version": one.version,
            "direct": json.loads(direct) if direct else None,
            "origin": origin(direct),
            "debian": "/dist-packages/" in folder and "/local/" not in folder,
        }
    return sorted(found.values(), key=lambda one: str(one["name"]).lower())


def _developed(folder: str) -> str | None:
    """What `setup.py develop` leaves, as pip's editable installs of some years ago: metadata beside the code."""
    if not folder.endswith(".egg-info") or "-packages/" in folder:
        return None
    return json.dumps({"url": f"file://{Path(folder).parent}", "dir_info": {"editable": True}})


def origin(direct: str | None) -> dict[str, str]:
    """The git address and commit of the folder that a package was installed from, by git's own files; {} for none."""
    url = json.loads(direct).get("url", "") if direct else ""
    git = Path(url[7:], ".git")
    if not url.startswith("file:///") or not (git / "HEAD").is_file():
        return {}
    found = re.search(r'(?m)^\[remote "origin"\]\s*(?:^[ \t]+(?!url).*\s)*^[ \t]+url = (\S+)', _text(git / "config"))
    head = _text(git / "HEAD").strip()
    name = head[5:] if head.startswith("ref: ") else ""
    packed = re.search(rf"(?m)^([0-9a-f]{{40}}) {re.escape(name)}$", _text(git / "packed-refs")) if name else None
    commit = _text(git / name).strip() if name and (git / name).is_file() else packed[1] if packed else head
    return {"git": found[1] if found else "", "commit": commit}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")[:1_000_000]
    except OSError:
        return ""


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
    return sorted(set(said.stdout.split()) - _of_the_system())


def _of_the_system() -> set[str]:
    """What a bare system has: bootstrapped ones, as the images of Debian and Ubuntu, mark all of it as asked for."""
    words = ["dpkg-query", "--show", "--showformat", "${Package} ${Priority} ${Essential}\\n"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return set()
    rows = (line.split() for line in said.stdout.splitlines())
    return {row[0] for row in rows if {"required", "important", "standard", "yes"} & set(row[1:])}


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
