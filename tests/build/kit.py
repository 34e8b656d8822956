"""Small C++ extensions of our own, shaped like those of the field, and a site that serves and builds them."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from builder import settings as site_settings
from builder.engine.client import Engine
from builder.fetch import fetch
from builder.files import same_file
from builder.lock import StackLock, resolve
from builder.settings import Settings
from builder.spec import load_stack
from builder.spec.model import Stack
from builder.ui import Ui
from tests.conftest import FAMILY, IMAGES
from tests.fetch.conftest import Handler, Server, Site

TOOLCHAIN = {"packages": ["setuptools==81.0.0", "wheel"], "system": ["g++", "python3-dev"]}
_CODE = """#include <Python.h>
{more}
static PyObject *answer(PyObject *, PyObject *) {{ return PyLong_FromLong(ANSWER); }}
static PyMethodDef methods[] = {{{{"answer", answer, METH_NOARGS, ""}}, {{nullptr, nullptr, 0, nullptr}}}};
static PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{leaf}", "", -1, methods}};
PyMODINIT_FUNC PyInit_{leaf}() {{ return PyModule_Create(&module); }}
"""
_SETUP = """from setuptools import Extension, setup
{more}
setup(name="{name}", version="1.0", packages={packages}, ext_modules=[Extension("{module}", ["ext.cpp"])])
"""
# As in TalkingGaussian: the package is used from its source, only what it falls back from is compiled.
_BACKEND = """try:
    import _gridencoder as _backend
except ImportError:
    raise RuntimeError("compiling at first import, which needs a compiler")
"""


def package(
    name: str, module: str, *, packages: list[str] | None = None, answer: str = "42", code: str = "", setup: str = ""
) -> dict[str, str]:
    """The files of a package with one extension module. code, setup: more lines of its C++ file and its setup.py."""
    lines = f"#define ANSWER {answer}\n{code}" if answer else code
    return {
        "setup.py": _SETUP.format(name=name, module=module, packages=packages or [], more=setup),
        "ext.cpp": _CODE.format(leaf=module.rpartition(".")[2], more=lines),
    }


def beneath(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    """The same files below a folder."""
    return {f"{folder}/{name}": text for name, text in files.items()}


def tree(folder: Path) -> dict[str, str]:
    """The files of a folder by their path in it; none where it is not there."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def talking() -> dict[str, str]:
    """The source tree of the TalkingGaussian arrangement: two packages with `_C`, one of them without __init__.py, and
    gridencoder, whose setup.py lies inside the package and gives a module beside it."""
    rasterizer = "diff_gaussian_rasterization"
    return {
        **beneath(
            "submodules/diff-gaussian-rasterization",
            package(rasterizer, f"{rasterizer}._C", packages=[rasterizer])
            | {f"{rasterizer}/__init__.py": "from . import _C\n"},
        ),
        **beneath(
            "submodules/simple-knn",
            package("simple_knn", "simple_knn._C", answer="43") | {"simple_knn/.gitkeep": ""},
        ),
        **beneath(
            "gridencoder",
            package("gridencoder", "_gridencoder", answer="44")
            | {"__init__.py": "from .backend import _backend\n", "backend.py": _BACKEND},
        ),
    }


@dataclass(frozen=True)
class Ground:
    """One site: its server, its settings, the folder of its stacks."""

    site: Site
    settings: Settings
    root: Path

    def repository(self, name: str, files: Mapping[str, str]) -> dict[str, str]:
        """A git repository of these files on the server: `git` and `commit` as a stack has them."""
        folder = self.site.git_root / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"]):
            subprocess.run(["git", *words], cwd=folder, check=True)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
        return {"git": f"{self.site.url}/git/{name}/.git", "commit": head.stdout.strip()}

    def sdist(self, name: str, files: Mapping[str, str]) -> None:
        """Put NAME-1.0.tar.gz on the server's page of files."""
        metadata = f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n"
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for path, text in {"PKG-INFO": metadata, **files}.items():
                entry = tarfile.TarInfo(f"{name}-1.0/{path}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        self.site.files[f"{name}-1.0.tar.gz"] = out.getvalue()
        rows = [
            f'<a href="{file}#sha256={hashlib.sha256(data).hexdigest()}">{file}</a>'
            for file, data in self.site.files.items()
            if file.endswith(".tar.gz")
        ]
        self.site.files["index.html"] = f"<!DOCTYPE html><html><body>{''.join(rows)}</body></html>".encode()

    def write(self, name: str, family: Mapping[str, Any] | None = None, **keys: Any) -> None:
        """Write a stack with these keys, on Debian 12 with a compiler where no other family is given."""
        stacks = self.settings.stacks[0]
        (stacks / "families").mkdir(parents=True, exist_ok=True)
        text = dict(family or {**yaml.safe_load(FAMILY), "toolchain": TOOLCHAIN})
        (stacks / "families" / f"{name}.yaml").write_text(json.dumps(text))
        (stacks / name).mkdir(exist_ok=True)
        stack = {"summary": "made for a test", "family": name, "smoke": ["python"], **keys}
        (stacks / name / "stack.yaml").write_text(json.dumps(stack))

    def folder(self, name: str) -> Path:
        return self.settings.stacks[0] / name

    def locked(self, name: str) -> tuple[Stack, StackLock]:
        """Lock a stack and fetch it."""
        stack = load_stack(name, self.settings)
        lock = resolve.lock(stack, self.folder(name), self.settings, Ui()).lock
        fetch(lock.artifacts(), lock.indexes, self.settings, Ui())
        return stack, lock

    def logs(self, name: str) -> dict[str, int]:
        """When each package of a stack was last compiled: the time of its log."""
        found = (self.settings.build / name / "extensions").glob("*/build.log")
        return {path.parent.name: path.stat().st_mtime_ns for path in found}

    def kept(self) -> set[str]:
        """Every file in the cache, lock files left out."""
        top = self.settings.wheels / "built"
        return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file() and path.suffix != ".lock"}

    def other(self, name: str, *, compiled: bool = False, **keys: Any) -> Ground:
        """Another site with the same stacks and everything that was fetched here. compiled: those wheels too."""
        home = self.root / name / "home"
        ignored = shutil.ignore_patterns(".partial", "*.lock", *([] if compiled else ["built"]))
        for folder in ("wheels", "assets"):
            shutil.copytree(self.settings.home / folder, home / folder, copy_function=_link, ignore=ignored)
        stacks = self.root / name / "stacks"
        shutil.copytree(self.settings.stacks[0], stacks)
        return Ground(self.site, replace(self.settings, home=home, stacks=(stacks,), **keys), self.root / name)

    @property
    def environment(self) -> dict[str, str]:
        """For a run of the command line at this site."""
        return {
            "MODELSTACKS_HOME": str(self.settings.home),
            "MODELSTACKS_STACKS": str(self.settings.stacks[0]),
            "CA_BUNDLE": str(self.settings.ca_bundle[0]),
            "no_proxy": "localhost",
        }


def _link(source: str, target: str) -> None:
    same_file(Path(source), Path(target))


@contextmanager
def ground(root: Path) -> Iterator[Ground]:
    """A site with a TLS server under a private CA; its home begins with the .deb files and tools of the checkout."""
    site, authority = Site(), trustme.CA()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    site.url = f"https://localhost:{server.server_address[1]}"
    site.git_root = root / "repositories"
    authority.cert_pem.write_to_path(str(root / "ca.pem"))
    home, checkout = root / "home", site_settings.load()
    for path in [*checkout.wheels.glob("uv-*.whl"), *(checkout.assets / "debs").glob("*.deb")]:
        _link(str(path), str(home / path.relative_to(checkout.home)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "localhost")
        yield Ground(
            site,
            Settings(home=home, stacks=(root / "stacks",), ca_bundle=(root / "ca.pem",), jobs=4, image_prefix=IMAGES),
            root,
        )
    server.shutdown()
    thread.join()
    server.server_close()


def python(engine: Engine, image: str, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter of an image: from /, as another user, without a compiler on PATH."""
    alone = ["--rm", "--network=none", "--workdir=/", "--user=1234:1234", "--env=PATH=/nonexistent"]
    words = ["run", *alone, *options, "--entrypoint=/opt/venv/bin/python", image, "-c", code]
    return engine.run(words, check=False)
