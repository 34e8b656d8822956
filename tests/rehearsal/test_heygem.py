"""heygem rehearsed: its unchanged files on a Python 3.8, everything that it installs real, its base from a mirror.

Where MODELSTACKS_REHEARSAL_SOURCES has HeyGem's repository, all its compiled modules are imported in the image too.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from builder.engine.client import Engine
from builder.settings import Settings
from tests.conftest import IMAGES
from tests.rehearsal import sources
from tests.rehearsal.bases import python_base
from tests.rehearsal.clone import Clone, clone
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.site import Mirrors, mirrors

pytestmark = pytest.mark.heavy

# A fork with most of the compiled modules; a copy of it may lack the biggest.
SOURCE = ("https://github.com/fengsam6/HeyGem-Linux-Python-Hack", "f8e995134aa4b4ac06d5a3f1b4ed4eeb6dc00789")
# What no module or script of the inference path names, and upstream's own requirements.txt lacks too.
ELSEWHERE = {
    "h_utils.obs_client": "obs",
    "landmark2face_wy.audio_handler": "tensorflow",
    "landmark2face_wy.util.html": "dominate",
    "landmark2face_wy.util.visualizer": "dominate",
    "landmark2face_wy.util.get_data": "bs4",
    "wenet.transformer.decoder": "dh_video_v2",
}
PROBE = """
import concurrent.futures, json, subprocess, sys
def tried(name):
    words = [sys.executable, "-c", "import importlib; importlib.import_module('" + name + "')"]
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True)
    return [name, done.stderr.strip().splitlines()[-1:] if done.returncode else None]
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    print(json.dumps(dict(pool.map(tried, sys.argv[1:]))))
"""


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrors]:
    root = tmp_path_factory.mktemp("heygem")
    with mirrors(root / "site") as found:
        tag = python_base("3.8", root / "base", Settings(home=root / "home", stacks=()), engine)
        try:
            found.image(tag, "docker.io/library/ubuntu:20.04", engine)
        finally:
            engine.remove(tag)
        yield found
        found.forget(engine)


def test_without_the_sites_root_the_first_mirror_is_refused(
    site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("untrusted")
    with clone(folder, "heygem", site.settings(trusted=False), engine) as here:
        done = here.run("lock", "heygem")
    assert done.returncode == 3
    assert f"error: https://{site.images}/v2/: the certificate of 127.0.0.1 is not trusted" in done.stderr
    assert "fix: export CA_BUNDLE=FILE, the certificate of OU=Testing CA" in done.stderr


@pytest.fixture(scope="module")
def made(
    site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Clone, Mapping[str, Any]]]:
    """The clone, its shipped lock made whole and its image built, and what `stack` said of it."""
    folder = tmp_path_factory.mktemp("clone")
    with clone(folder, "heygem", site.settings(), engine, locked=True) as here:
        shipped = here.lock()
        assert shipped.unresolved, "as the registry could not be reached where it was made"
        said = here.made()
        assert here.lock().wheels == shipped.wheels, "file for file, by hash"
        yield here, said


def test_the_whole_chain_ends_green(made: tuple[Clone, Mapping[str, Any]]) -> None:
    here, said = made
    figures(here, said)
    judge(said, {})
    assert here.lock().unresolved == ()


def test_the_compiled_modules_import_in_the_image(made: tuple[Clone, Mapping[str, Any]], tmp_path: Path) -> None:
    if not sources.there(SOURCE[0]):
        pytest.skip(f"{sources.SOURCES} has no {SOURCE[0]}")
    code, missing = checkout(tmp_path)
    names = [
        str(path.relative_to(code)).partition(".")[0].replace("/", ".") for path in code.rglob("*.cpython-38-*.so")
    ]
    # writable: some open /code/log/dh.log when they are imported
    words = ["docker", "run", "--rm", "--network", "none", "--volume", f"{code}:/code", "--workdir", "/code"]
    program = ["--env", "PYTHONPATH=/code", "--entrypoint", "/opt/venv/bin/python", f"{IMAGES}/heygem:latest"]
    done = subprocess.run([*words, *program, "-c", PROBE, *names], capture_output=True, text=True, check=True)
    found: dict[str, list[str] | None] = json.loads(done.stdout)
    assert len(found) == len(names) > 60
    failed = {name: " ".join(why) for name, why in found.items() if why is not None}
    print(json.dumps({"imported": len(found) - len(failed), "failed": failed, "missing": sorted(missing)}))  # noqa: T201
    for name, why in failed.items():
        lacking = [ELSEWHERE[name]] if name in ELSEWHERE else [one for one in missing if one in why]
        assert any(f"{one}'" in why for one in lacking), f"{name}: {why}"


def checkout(folder: Path) -> tuple[Path, set[str]]:
    """HeyGem's files at the commit, and the names of the modules whose files this copy lacks."""
    (real,) = sources.serve([SOURCE], folder / "git")
    code = folder / "code"
    served = folder / "git" / f"{SOURCE[0].removeprefix('https://')}.git"
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(served), str(code)], check=True)
    subprocess.run(["git", "checkout", "--quiet", real.served], cwd=code, check=True)
    for name in real.missing:
        (code / name).unlink()
    return code, {Path(name).name.partition(".")[0] for name in real.missing}
