"""A running container or an image: what its Python really has installed, read by a program that only reads.

An image is started once without a network, with a read-only root, as smoke tests start it.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from builder.engine.client import Engine
from builder.errors import InputError
from builder.inside import Place, ProbeError, container, probe
from builder.new.found import Asked, Decision, Found

_SCRIPT = Path(__file__).parent / "sent" / "installed.py"
_PYTHONS = ("python", "python3", "/opt/venv/bin/python", "/opt/conda/bin/python", "/usr/local/bin/python3")
_SECONDS, _LIMIT = 60, 8_000_000
# Where conda's packages were built, on another machine: conda-forge's builders and Anaconda's.
_CONDA_BUILT = re.compile(r"file:///(?:home/conda/feedstock_root|home/task_\w+|croot|tmp/abs_\w+|opt/conda/conda-bld)/")


def read(kind: str, name: str, found: Found) -> None:
    """Add what is installed. Raises InputError where there is no such container or image, or no Python in it."""
    engine = Engine.connect()
    if kind == "container":
        facts = container.find(engine, name, otherwise=", or give its image: --from image:{image}")
        _look(engine, str(facts["Id"]), f"container {name}", found, facts.get("Config") or {})
        return
    image = None if name.startswith("-") else engine.image(name)
    if image is None:
        raise InputError(f"the engine has no image {name}", fix="docker images lists those that are there")
    running = f"modelstacks-new-{secrets.token_hex(4)}"
    try:
        engine.start(image.id, ("sleep", "600"), name=running, gpu=False)
        facts = container.find(engine, running)
        _look(engine, str(facts["Id"]), f"image {name}", found, facts.get("Config") or {})
    finally:
        engine.remove_container(running, running=True)


def _look(engine: Engine, running: str, shown: str, found: Found, config: dict[str, Any]) -> None:
    document = _document(engine, running, shown)
    found.python.append(Asked(text=str(document["python"])[:10], where=shown))
    for row in document["packages"]:
        _package(row, shown, found)
    torch = document.get("torch") or {}
    if torch.get("cuda"):
        found.cuda.append(Asked(text=str(torch["cuda"])[:10], where=shown))
    for name in document["manual"]:
        if re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]", str(name)):
            found.system.append(Asked(text=str(name), where=f"{shown}: apt-mark showmanual"))
    for line in config.get("Env") or ():
        name, _, value = str(line).partition("=")
        found.env.setdefault(name, Asked(text=value, where=f"{shown}: its configuration"))
    for folder in document["loader"]:
        why = "a folder on the loader's path; of wheels it is an entry of `libraries`"
        found.decisions.append(Decision(kind="yours", what=str(folder), into="libraries", why=why, where=shown))


def _document(engine: Engine, running: str, shown: str) -> dict[str, Any]:
    """What the script tells, by the first Python that runs it."""
    said = ""
    for python in _PYTHONS:
        place = Place(
            python=python,
            container=running,
            endpoint=engine.endpoint,
            environment={"PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            answer = probe.ask(place, "installed", _SCRIPT.read_text("utf-8"), (), seconds=_SECONDS, limit=_LIMIT)
            return probe.document("installed", answer)
        except ProbeError as error:
            said = str(error)
    raise InputError(
        f"no Python runs in {shown}", why=said[-500:], fix="give the requirement files that it was made from"
    )


def _package(row: dict[str, Any], shown: str, found: Found) -> None:
    name, version, direct = str(row["name"]), str(row["version"]), row.get("direct") or {}
    if row.get("debian") or name.lower() in ("pip", "setuptools", "wheel", "conda", "distutils"):
        return
    if url := str(direct.get("url") or ""):
        commit = str((direct.get("vcs_info") or {}).get("commit_id") or "")
        if commit:
            found.asked.append(Asked(text=name, where=shown, url=f"git+{re.sub(r'^git[+]', '', url)}@{commit}"))
            return
        if url.startswith("file:") and not _CONDA_BUILT.match(url):
            how = "editable" if (direct.get("dir_info") or {}).get("editable") else "installed from a folder"
            git, commit = (str((row.get("origin") or {}).get(key) or "") for key in ("git", "commit"))
            at = f", of {git} at {commit}" if git and re.fullmatch(r"[0-9a-f]{40}", commit) else ""
            why = f"{how} in {url[7:]}{at}: give its repository as a source, and an extension if it compiles"
            found.decisions.append(
                Decision(kind="yours", what=f"{name}=={version}", into="sources", why=why, where=shown)
            )
            return
    try:
        found.asked.append(Asked(text=str(Requirement(f"{name}=={version}")), where=shown))
    except InvalidRequirement:
        why = "it is no requirement (PEP 508)"
        found.decisions.append(Decision(kind="yours", what=f"{name} {version}", into="packages", why=why, where=shown))
