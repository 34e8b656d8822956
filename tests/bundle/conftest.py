"""Two small sites: one whose stack is locked and fetched (made here, a few kB), one that has nothing yet."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.bundle.own import own_wheels, running_python
from builder.lock import Artifact, LockedBase, StackLock, inputs_digest, store
from builder.origin import Origin
from builder.settings import Settings, load
from builder.spec import load_stack
from builder.ui import Ui
from tests.conftest import write_stack


@dataclass(frozen=True)
class Site:
    """A home folder and a folder of stacks of its own."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def stacks(self) -> Path:
        return self.root / "stacks"

    @property
    def environment(self) -> dict[str, str]:
        return {"MODELSTACKS_HOME": str(self.home), "MODELSTACKS_STACKS": str(self.stacks)}

    @property
    def settings(self) -> Settings:
        return load(environ=self.environment)

    def tree(self) -> dict[str, str]:
        """Every path of the site and beside it, with what it is."""
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in self.root.rglob("*")
        }


def site(root: Path) -> Site:
    made = Site(root)
    for folder in (made.home / "wheels", made.home / "assets", made.stacks / "families"):
        folder.mkdir(parents=True)
    return made


def wheel(name: str, text: str = "") -> bytes:
    """A real wheel that pip installs; the same bytes for the same words."""
    data = io.BytesIO()
    info = f"{name}-1.dist-info"
    content = {
        f"{name}.py": f"TEXT = {text!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(data, "w") as archive:
        for path, words in content.items():
            archive.writestr(zipfile.ZipInfo(path), words)  # ZipInfo: 1980, so that the same wheel has the same bytes
    return data.getvalue()


def put(made: Site, kind: str, filename: str, data: bytes, project: str) -> Artifact:
    """A fetched file and the artifact of its lock."""
    artifact = Artifact(
        kind=kind,  # type: ignore[arg-type]
        filename=filename,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        origin=Origin.parse("archive:debian/pool/x.deb" if kind == "deb" else "index:default"),
        project=project,
        version="1",
    )
    path = made.home / artifact.folder / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return artifact


def add_stack(made: Site, name: str, wheels: dict[str, bytes]) -> None:
    """A stack of these wheels, locked and fetched, and one .deb that all stacks share."""
    write_stack(made.stacks, name, packages=[f"{project}==1" for project in wheels])
    deb = put(made, "deb", "base_1%3a2_amd64.deb", b"deb" * 500, "base")
    stack = load_stack(name, made.settings)
    boot = stack.base.bootstrap
    assert boot is not None
    lock = StackLock(
        stack=name,
        inputs=inputs_digest(stack),
        epoch=1,
        python="3.11",
        platform="x86_64-manylinux_2_36",
        indexes={},
        base=LockedBase(kind="bootstrap", distribution="debian", include=boot.packages, epoch=1, debs=(deb,)),
        wheels=tuple(
            put(made, "wheel", f"{project}-1-py3-none-any.whl", data, project) for project, data in wheels.items()
        ),
        debs=(),
        tools=(put(made, "tool", "uv-1-py3-none-any.whl", wheel("uv"), "uv"),),
        sources=(),
        weights=(),
        digest="",
    )
    store.write(made.stacks / name, lock)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """A site with the stack `mini`."""
    made = site(tmp_path / "here")
    add_stack(made, "mini", {"alpha": wheel("alpha", "a" * 3000), "beta": wheel("beta", "b" * 200_000)})
    return made


@pytest.fixture
def there(tmp_path: Path) -> Site:
    """A site with nothing."""
    return site(tmp_path / "there")


@pytest.fixture(scope="session")
def own() -> list[Path]:
    """Our own wheels, brought once to the checkout's folder as any export does."""
    return own_wheels(running_python(), load(), Ui(), offline=False)


@pytest.fixture
def exporting(here: Site, own: list[Path]) -> Site:
    """The site with a stack, and our own wheels in their folder."""
    folder = here.home / "assets" / "own-wheels"
    folder.mkdir(parents=True)
    for path in [*own, *own[0].parent.glob(".cp*.list")]:
        (folder / path.name).hardlink_to(path)
    return here
