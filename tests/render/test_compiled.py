"""What an image takes of compiled wheels: installed by the real installer, found where the .pth says."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from builder.errors import InputError
from builder.lock import StackLock
from builder.render import recipes, render_dockerfile
from builder.render.compile import recipe_dockerfile
from builder.render.compiled import compiled_files, wheels_to_install
from builder.settings import Settings
from builder.spec.model import Stack
from tests.lock.test_store import artifact
from tests.render.test_dockerfile import GOLDEN, TEMPLATES, same_as_golden
from tests.render.test_recipe import STACK, loaded, locked


def wheel(name: str, files: dict[str, str], path: Path) -> None:
    """A wheel as setuptools makes one, NAME-1.0, with these files."""
    info = f"{name}-1.0.dist-info"
    tag = "cp311-cp311-linux_x86_64"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: six; extra == 'x'\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{info}/RECORD": "".join(f"{file},,\n" for file in files)}.items():
            archive.writestr(zipfile.ZipInfo(member), text)


def built(stack: Stack, lock: StackLock, settings: Settings, **files: dict[str, str]) -> StackLock:
    """The lock with a wheel for each recipe, kept where it belongs. files: by project; "so" unless said."""
    items = []
    for recipe in recipes(stack, lock):
        name = recipe.project.replace("-", "_")
        path = settings.wheels / "built" / recipe.key / f"{name}-1.0-cp311-cp311-linux_x86_64.whl"
        wheel(name, files.get(name, {f"{name}.so": "ELF"}), path)
        item = artifact("built", path.name, path.read_bytes(), origin=f"built:{recipe.key}", project=recipe.project)
        items.append(item)
    return replace(lock, built=tuple(items))


def compiling(folder: Path, into: str = "/workspace") -> tuple[Stack, StackLock]:
    """A stack with one editable extension (its packages in src/), two plain ones and an sdist."""
    knn, *others = STACK["extensions"]
    changed: dict[str, Any] = {**knn, "path": f"{into}/knn", "install": "editable", "package-dir": "src"}
    sources = [{**STACK["sources"][0], "into": into}, STACK["sources"][1]]
    return loaded(folder, {**STACK, "sources": sources, "extensions": [changed, *others]}), locked()


def test_shared_objects_are_told_from_the_rest() -> None:
    names = [
        "knn/_C.cpython-311-x86_64-linux-gnu.so",
        "knn/lib/libextra.so.1.2",
        "knn-1.0.data/platlib/fast/_C.abi3.so",
        "knn/__init__.py",
        "knn/so.py",
        "../etc/evil.so",
        "/etc/evil.so",
        "knn/_C.so.txt",
    ]
    assert compiled_files(names) == {
        names[0]: "knn/_C.cpython-311-x86_64-linux-gnu.so",
        names[1]: "knn/lib/libextra.so.1.2",
        names[2]: "fast/_C.abi3.so",
    }


def test_an_editable_one_imports_from_its_source_and_only_what_was_compiled_is_added(tmp_path: Path) -> None:
    into = tmp_path / "workspace"
    stack, lock = compiling(tmp_path / "stacks", str(into))
    settings = Settings(home=tmp_path / "home", stacks=())
    files = {"knn/__init__.py": "from_wheel = 1", "knn/_C.so": "ELF", "knn_ops-1.0.data/purelib/top.so": "ELF top"}
    lock = built(stack, lock, settings, knn_ops=files)
    context = wheels_to_install(stack, lock, settings.build, settings)
    with tarfile.open(context / "inplace.tar") as tree:
        assert {entry.name: entry.mode for entry in tree} == {
            f"{into}/knn/src/knn/_C.so".lstrip("/"): 0o755,
            f"{into}/knn/src/top.so".lstrip("/"): 0o755,
        }
        tree.extractall(into, filter="data")
    (into / "knn" / "src" / "knn").mkdir(parents=True)
    (into / "knn" / "src" / "knn" / "__init__.py").write_text("from_source = 1\n")
    uv = [find_uv_bin(), "--no-config", "--offline", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = ["pip", "install", "--no-index", "--no-deps", "--find-links", str(context), "--require-hashes"]
    requirements = (context / "requirements.txt").read_text()
    mine = [line for line in requirements.splitlines(keepends=True) if line.startswith("knn-ops==")]
    (tmp_path / "requirements.txt").write_text("".join(mine))
    words = [*uv, *install, "--python", str(python), "--requirements", str(tmp_path / "requirements.txt")]
    subprocess.run(words, check=True, env={"UV_NO_CACHE": "1"})
    code = "import knn, importlib.metadata as m; print(knn.__file__, knn.from_source, m.requires('knn-ops'))"
    done = subprocess.run([python, "-c", code], cwd="/", capture_output=True, text=True, check=True, env={})
    assert done.stdout.split(" ", 2)[:2] == [str(into / "knn" / "src" / "knn" / "__init__.py"), "1"]
    assert "six" in done.stdout, "the metadata is that of the compiled wheel"


def test_plain_wheels_are_linked_and_pinned(tmp_path: Path) -> None:
    stack, lock = compiling(tmp_path / "stacks")
    settings = Settings(home=tmp_path / "home", stacks=())
    lock = built(stack, lock, settings)
    context = wheels_to_install(stack, lock, settings.build, settings)
    editable = "knn_ops-1.0-py3-none-any.whl"
    plain = [item for item in lock.built if item.project != "knn-ops"]
    names = {item.filename for item in plain}
    assert {path.name for path in context.iterdir()} == names | {editable, "inplace.tar", "requirements.txt"}
    assert (context / plain[0].filename).samefile(settings.home / plain[0].folder / plain[0].filename)
    sha256 = hashlib.sha256((context / editable).read_bytes()).hexdigest()
    rows = {f"{item.project}==1.0 --hash=sha256:{item.sha256}" for item in plain}
    assert set((context / "requirements.txt").read_text().splitlines()) == rows | {
        f"knn-ops==1.0 --hash=sha256:{sha256}"
    }
    before = {path.name: path.read_bytes() for path in context.iterdir()}
    wheels_to_install(stack, lock, settings.build, settings)
    assert {path.name: path.read_bytes() for path in context.iterdir()} == before, "the same bytes each time"


def test_what_is_not_compiled_or_gone_is_told(tmp_path: Path) -> None:
    stack, lock = compiling(tmp_path / "stacks")
    settings = Settings(home=tmp_path / "home", stacks=())
    with pytest.raises(InputError) as caught:
        wheels_to_install(stack, lock, settings.build, settings)
    assert (caught.value.problem, caught.value.fix) == ("knn-ops is not compiled yet", "run `make build STACK=one`")
    lock = built(stack, lock, settings)
    (settings.home / lock.built[0].folder / lock.built[0].filename).unlink()
    with pytest.raises(InputError) as caught:
        wheels_to_install(stack, lock, settings.build, settings)
    assert caught.value.problem == "the compiled knn_ops-1.0-cp311-cp311-linux_x86_64.whl is gone"


def test_another_compiled_wheel_is_another_image(tmp_path: Path) -> None:
    """The Dockerfile names the keys, so that an image of other inputs is never taken for current."""
    stack, lock = compiling(tmp_path / "stacks")
    text = render_dockerfile(stack, lock, TEMPLATES)
    for recipe in recipes(stack, lock):
        assert text.count(recipe.key) == 1
    changed = replace(lock, toolchain=lock.toolchain[:1])
    assert render_dockerfile(stack, changed, TEMPLATES) != text


def test_dockerfiles_of_an_extension_are_their_golden_files(tmp_path: Path) -> None:
    """compile.Dockerfile: where it changes so that a wheel may come out otherwise, raise _RECIPE in recipe.py too."""
    stack, lock = compiling(tmp_path / "stacks")
    same_as_golden("compile", recipe_dockerfile(stack, lock, recipes(stack, lock)[0], TEMPLATES))
    same_as_golden("extensions", render_dockerfile(stack, lock, TEMPLATES))
    assert not (set(mounted(GOLDEN / "extensions.Dockerfile")) & {"toolchain", "toolchain-debs", "source"})


def mounted(path: Path) -> list[str]:
    """The named contexts that a Dockerfile mounts."""
    return re.findall(r"--mount=from=([a-z0-9-]+)", path.read_text())
