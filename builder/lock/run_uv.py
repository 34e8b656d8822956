"""One run of uv, and what is to be made of its words where it ends."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from builder.errors import JobError, SurroundingsError
from builder.net.index import default_index
from builder.net.untrusted import untrusted
from builder.net.urls import clean_text
from builder.net.uv import environment as uv_environment
from builder.settings import Settings
from builder.spec.model import Stack


class NotBuilt(JobError):
    """An sdist whose build script was to tell its requirements, and failed."""

    def __init__(self, project: str, version: str, said: str) -> None:
        fix = "take a version that has a wheel, or see what its build script lacks"
        super().__init__(f"{project} {version} does not tell what it requires", why=said[-1500:], fix=fix)
        self.project, self.version = str(canonicalize_name(project)), version


class NoSolution(Exception):
    """uv found no set of versions. said: its reasons, on one line."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def run_uv(command: Sequence[str], stack: Stack, home: Path, settings: Settings) -> None:
    """Run uv with the first of the default index's mirrors that can be reached."""
    named = {name: mirror(index.url or index.find_links, settings) for name, index in stack.indexes.items()}
    defaults = settings.mirrored(default_index(settings))
    for number, default in enumerate(defaults, 1):
        try:
            _uv_once(command, home, uv_environment(default, named, home, settings), settings)
            return
        except SurroundingsError:
            if number == len(defaults):
                raise


def _uv_once(command: Sequence[str], home: Path, environment: Mapping[str, str], settings: Settings) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 0:
        return
    said = clean_text(" ".join(done.stderr.split()))
    if built := re.search(r"Failed to (?:download and )?build `([A-Za-z0-9._-]+)==([^`]+)`", said):
        raise NotBuilt(built[1], built[2], said)
    if "No solution found" in said:
        raise NoSolution(said)
    if "ertificate" in said and (url := re.search(r"https://[^\s`'\")>]+", said)):
        raise untrusted(url[0], " ".join(re.findall(r"invalid peer certificate: \w+", said)[:1]), settings)
    if re.search(r"[Cc]ertificate|Failed to fetch|Could not connect|dns error|error sending request", said):
        fix = "check the network; behind a private CA, export CA_BUNDLE=/path/to/ca.pem"
        raise SurroundingsError("uv could not reach an index", why=said[-600:], fix=fix)
    raise JobError("uv failed", why=said[-1500:], fix="see uv's words")


def mirror(url: str | None, settings: Settings) -> str:
    """The address at which a named index is asked: its first mirror."""
    return settings.mirrored(str(url))[0]


def who_asks(text: str) -> dict[str, tuple[str, ...]]:
    """Who asks for each project, by the comments `# via` of what uv compiled; "" is the stack itself."""
    found: dict[str, tuple[str, ...]] = {}
    project = ""
    for line in text.splitlines():
        if pin := re.match(r"([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==", line):
            project = pin[1]
        elif (by := re.match(r"\s+#\s+(?:via\s+)?(\S+)", line)) and by[1] != "via":
            own = by[1].startswith(("stack-", "-"))
            found[project] = (*found.get(project, ()), "" if own else by[1])
    return found
