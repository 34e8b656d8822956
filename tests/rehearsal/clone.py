"""A clone of this program at a site of its own: the shipped stack files byte for byte, and one modelstacks.toml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from builder import settings as site_settings
from builder.engine.client import Engine
from builder.files import same_file
from builder.lock import StackLock, read
from builder.lock.store import exists
from builder.render import base_tag
from tests.conftest import IMAGES, REPO, remove_images

KEEP = "MODELSTACKS_KEEP_REHEARSAL"
PROGRESS = "MODELSTACKS_REHEARSAL_PROGRESS"
# apt takes no newer release of what the base has: here the Python that stands for Ubuntu's is older than Debian 12's.
_APT = 'APT::Get::Upgrade "false";\n'
_OWN = ("MODELSTACKS_", "CA_BUNDLE", "SSL_CERT", "REQUESTS_CA")


@dataclass(frozen=True)
class Clone:
    """folder: the checkout, which is also the home. stack: the one it holds. shipped: its files and those of the
    families as the checkout of this test has them, by their path."""

    folder: Path
    stack: str
    shipped: Mapping[str, bytes]

    @property
    def stacks(self) -> Path:
        return self.folder / "stacks"

    def lock(self) -> StackLock:
        return read(self.stacks / self.stack)

    def run(self, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
        """The command line, in the clone; what it says goes to the clone's log. path: folders before those of PATH."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_OWN)}
        here = ["localhost", "127.0.0.1", *filter(None, [kept.get("no_proxy")])]
        kept |= {"APT_CONFIG": str(self.folder / "apt.conf"), "no_proxy": ",".join(here)}
        kept["MODELSTACKS_IMAGE_PREFIX"] = IMAGES
        kept["PATH"] = f"{path}:{kept['PATH']}" if path else kept["PATH"]
        command = [sys.executable, "-m", "builder", *words]
        with (
            (self.folder / "log").open("a") as log,
            subprocess.Popen(
                command, cwd=self.folder, env=kept, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as program,
        ):
            copying = threading.Thread(target=_copy, args=(program.stderr, log))
            copying.start()
            assert program.stdout
            said = program.stdout.read()
            copying.join()
        return subprocess.CompletedProcess(command, program.returncode, said, (self.folder / "log").read_text())

    def made(self, *, path: str = "") -> dict[str, Any]:
        """What `stack` made, from nothing to its smoke tests without a GPU, as its JSON document."""
        done = self.run("--json", "stack", self.stack, "--gpu", "none", path=path)
        assert done.returncode == 0, done.stderr[-6000:]
        assert _files(self.stacks, self.stack) == self.shipped, "the stack files are as they were"
        found: dict[str, Any] = json.loads(done.stdout)["stacks"][0]
        return found


def _copy(said: Iterable[str] | None, log: TextIO) -> None:
    """What a program says, to the log, and to the terminal where a person looks on."""
    for line in said or ():
        log.write(line)
        if os.environ.get(PROGRESS):
            sys.stderr.write(line)


@contextmanager
def clone(folder: Path, stack: str, settings: str, engine: Engine, *, locked: bool = False) -> Iterator[Clone]:
    """Make a clone with this stack and these settings; its images and files are removed at the end.

    locked: with the lock that the stack is shipped with, which the mirrors make whole; else without one.

    Where MODELSTACKS_KEEP_REHEARSAL is set, the image stays as modelstacks/STACK:rehearsal, and what was compiled stays
    in the checkout's wheels/built, where the next run finds it; lock, reports and log stay always.
    """
    shipped = _files(REPO / "stacks", stack)
    for name in ("builder", "templates"):
        shutil.copytree(REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    without = shutil.ignore_patterns("__pycache__", *([] if locked else ["pylock.toml", "stack.lock"]))
    for name in ("families", stack):
        shutil.copytree(REPO / "stacks" / name, folder / "stacks" / name, ignore=without)
    (folder / "modelstacks.toml").write_text(settings)
    (folder / "apt.conf").write_text(_APT)
    checkout = site_settings.load()
    for path in [*checkout.wheels.glob("uv-*.whl"), *(checkout.assets / "debs").glob("*.deb")]:
        same_file(path, folder / path.relative_to(checkout.home))
    if os.environ.get(KEEP):
        _copy_compiled(checkout.wheels, folder / "wheels")
    try:
        yield Clone(folder, stack, shipped)
    finally:
        if os.environ.get(KEEP) and engine.image(f"{IMAGES}/{stack}:latest"):
            engine.tag(f"{IMAGES}/{stack}:latest", f"modelstacks/{stack}:rehearsal")
        if os.environ.get(KEEP):
            _copy_compiled(folder / "wheels", checkout.wheels)
        remove_images(engine, stack)
        if exists(folder / "stacks" / stack):
            engine.remove(base_tag(read(folder / "stacks" / stack).base))
        # contexts hold links to the same gigabytes
        for path in [folder / "wheels", folder / "assets", *(folder / "build").rglob("contexts")]:
            shutil.rmtree(path, ignore_errors=True)


def _copy_compiled(wheels: Path, into: Path) -> None:
    """Compiled wheels, each in a folder named by the hash of all that it was compiled from, to another wheelhouse."""
    for path in sorted((wheels / "built").glob("[0-9a-f]*/*")):
        same_file(path, into / path.relative_to(wheels))


def _files(stacks: Path, stack: str) -> dict[str, bytes]:
    """A stack's own files and all families of a folder of stacks, by their path in it."""
    found = [*stacks.glob("families/*.yaml"), stacks / stack / "stack.yaml", *(stacks / stack / "files").rglob("*.*")]
    return {str(path.relative_to(stacks)): path.read_bytes() for path in found if "__pycache__" not in path.parts}
