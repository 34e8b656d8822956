"""Builds that are stopped at a named point inside, with the real engine: nothing half-made stays, the next one ends."""

from __future__ import annotations

import shutil
import signal
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.engine.client import Engine
from builder.files import sha256_of
from builder.lock import read
from tests.build.kit import Ground, ground, package
from tests.build.test_faults import LONG, building
from tests.conftest import IMAGES, cli, document, remove_images, uncached, write_stack
from tests.stopped import alive, aside, at, children, code_of, stopped, tree, until

POINTS = {
    "while a context is linked": ("builder.render.folders:same_file", "", 2),
    "before the Dockerfile": ("pathlib:Path.replace", r"Dockerfile'\)\)", 1),
    "before the wheel has its name": ("pathlib:Path.replace", r"ext-1.*\.whl'\), ", 1),
    "before the wheel's record": ("pathlib:Path.replace", r"built\.json'\)\)", 1),
    "before the lock has the wheel": ("builder.lock.store:write", "", 1),
    "between the files of the lock": ("pathlib:Path.replace", r"stack\.lock'\)\)", 1),
    "before the image": ("builder.build.buildx:run", "", 1),
}


@dataclass(frozen=True)
class Site:
    """A site with the stack `ext`, and what there was of it before anything was built."""

    ground: Ground
    lock: dict[str, bytes]

    @property
    def folder(self) -> Path:
        return self.ground.folder("ext")

    @property
    def built(self) -> Path:
        return self.ground.settings.wheels / "built"

    def environment(self, folder: Path) -> dict[str, str]:
        """For a run whose temporary folder, and whose user's home, are its own."""
        for name in ("tmp", "user"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "user" / ".docker").symlink_to(Path("~/.docker").expanduser())
        return {**self.ground.environment, "TMPDIR": str(folder / "tmp"), "HOME": str(folder / "user")}

    def wipe(self, engine: Engine) -> None:
        """Take away what was built, but for what the engine keeps of its stages."""
        for name, data in self.lock.items():
            (self.folder / name).write_bytes(data)
        for folder in (self.built, self.ground.settings.build):
            shutil.rmtree(folder, ignore_errors=True)
        remove_images(engine, "ext")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Site]:
    """A stack that compiles an extension of a few lines: built once, so that the engine has its stages."""
    with ground(tmp_path_factory.mktemp("kills")) as here:
        source = here.repository("ext", package("ext", "ext"))
        here.write("ext", packages=[], extensions=[{"name": "ext", "compiled": ["ext"], **source}])
        here.locked("ext")
        folder = here.folder("ext")
        site = Site(here, {name: (folder / name).read_bytes() for name in ("pylock.toml", "stack.lock")})
        first = cli("build", "ext", env=here.environment)
        assert first.returncode == 0, first.stderr
        yield site
        remove_images(engine, "ext")


@at(POINTS, "before the wheel's record", "before the image")
def test_a_build_that_is_stopped_leaves_nothing_half_and_the_next_one_ends(
    made: Site, engine: Engine, tmp_path: Path, point: str, number: int
) -> None:
    made.wipe(engine)
    fetched = tree(made.ground.settings.wheels, made.ground.settings.assets)
    environment = made.environment(tmp_path)
    with stopped(POINTS[point], ["build", "ext"], tmp_path / "stop", env=environment) as run:
        code, said = run.ended(number)
    assert code == code_of(number), said
    assert "Traceback" not in said
    assert engine.image(f"{IMAGES}/ext:latest") is None
    names = {item.filename: item.sha256 for item in read(made.folder).built}
    for path in made.built.rglob("*.whl") if made.built.is_dir() else ():
        if ".scratch" not in path.parts:
            assert zipfile.ZipFile(path).testzip() is None
            assert names.get(path.name, sha256_of(path)) == sha256_of(path)
    again = cli("build", "ext", env=environment)
    assert again.returncode == 0, again.stderr
    (item,) = read(made.folder).built
    assert sha256_of(made.ground.settings.home / item.folder / item.filename) == item.sha256
    assert engine.image(f"{IMAGES}/ext:latest") is not None
    assert not aside(made.ground.settings.home, made.folder)
    after = tree(made.ground.settings.wheels, made.ground.settings.assets)
    assert fetched.items() <= after.items()
    assert not tree(tmp_path / "tmp")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_build_that_is_ended_while_the_engine_works_takes_its_docker_along(
    tiny: Path, engine: Engine, number: signal.Signals
) -> None:
    """The signal goes to the one process, as from a kernel without memory, a service manager or a closed terminal."""
    name = f"alone{number.value}"
    write_stack(tiny, name, packages=LONG, extra=uncached())
    with building(tiny, name) as child:
        docker = children(child.pid)
        assert docker, "docker works for it"
        child.send_signal(number)
        _, said = child.communicate(timeout=120)
    assert child.returncode == code_of(number), said
    until(lambda: not any(map(alive, docker)))
    assert engine.image(f"{IMAGES}/{name}:latest") is None
    again = document(cli("--json", "--stacks", str(tiny), "build", name))["images"][0]
    assert again["built"] is True
