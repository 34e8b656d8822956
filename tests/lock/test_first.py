"""A first lock is told in a few lines; a base that is newer than uv is resolved for, with a warning."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli
import uv

from builder.lock import read, tags, verb
from builder.lock.pylock import WHEELHOUSE, wheelhouse
from builder.settings import Settings
from builder.ui import Ui
from tests.conftest import cli, document
from tests.lock.conftest import Index, MakeStack, sdist, wheel


def of_glibc(text: str) -> Any:
    return SimpleNamespace(base=SimpleNamespace(glibc=text))


def test_the_newest_glibc_is_that_of_the_locked_uv() -> None:
    said = subprocess.run([uv.find_uv_bin(), "pip", "compile", "--help"], capture_output=True, text=True, check=True)
    known = [int(number) for number in re.findall(r"x86_64-manylinux_2_([0-9]+)", said.stdout)]
    assert max(known) == tags.UV_NEWEST


@pytest.mark.parametrize(
    ("glibc", "platform", "warned"), [("2.36", 36, False), ("2.40", 40, False), ("2.41", 40, True), ("2.99", 40, True)]
)
def test_a_newer_glibc_is_clamped_and_said(glibc: str, platform: int, warned: bool) -> None:
    stack = of_glibc(glibc)
    assert tags.platform(stack) == f"x86_64-manylinux_2_{platform}"
    assert (f"glibc {glibc} is newer than what uv" in tags.clamped(stack)) is warned


def test_a_first_lock_is_folded(index: Index, make_stack: MakeStack, settings: Settings, capsys: Any) -> None:
    index.add(wheel("alpha", "1.0"))
    index.add(wheel("beta", "1.0"))
    verb.lock(make_stack("alpha"), settings, Ui())
    said = capsys.readouterr().out
    assert re.search(r"^one: locked, \d+ files, ", said, re.MULTILINE)
    assert re.search(r"^alpha +1\.0$", said, re.MULTILINE)
    assert re.search(r"^packages of the base +\d+$", said, re.MULTILINE)
    assert "libc6" not in said, "what the stack does not name is a number"
    verb.lock(make_stack("alpha", "beta"), settings, Ui())
    assert re.search(r"^beta +- +1\.0$", capsys.readouterr().out, re.MULTILINE), "a later lock tells each change"


def test_paths_of_pylock_lead_to_the_wheels_from_a_folder_of_ones_own(
    index: Index, make_stack: MakeStack, settings: Settings
) -> None:
    index.add(wheel("alpha", "1.0"))
    stack = make_stack("alpha")
    home = settings.home / "elsewhere" / "home"
    home.mkdir(parents=True)
    verb.lock(stack, replace(settings, home=home), Ui())
    (package,) = tomli.loads((stack.folder / "pylock.toml").read_text())["packages"]
    path = package["wheels"][0]["path"]
    assert (
        not path.startswith("/") and (stack.folder / path).resolve() == home / "wheels" / "alpha-1.0-py3-none-any.whl"
    )
    assert [one.filename for one in read(stack.folder).wheels] == ["alpha-1.0-py3-none-any.whl"]
    before = (stack.folder / "pylock.toml").read_bytes()
    verb.lock(stack, settings, Ui(), upgrade=True)
    assert (stack.folder / "pylock.toml").read_bytes() == before, "another place alone changes no lock"


def test_what_is_known_before_what_is_resolved_and_what_has_no_wheel_are_one_list(
    index: Index, make_stack: MakeStack, settings: Settings
) -> None:
    """One run of `lock` for what took three: a clash in the stack file, one that a dependency brings, two sdists."""
    for name, version in (("onnxruntime", "1.20.1"), ("onnxruntime-gpu", "1.20.2"), ("numpy", "2.0.2")):
        index.add(wheel(name, version))
    index.add(wheel("head", "1.0", ["opencv-python==4.9.0.80"]))
    index.add(wheel("opencv-python", "4.9.0.80"))
    for name in ("alpha", "beta"):
        index.add(sdist(name, "1.0", "raise SystemExit('it ran')"))
    stack = make_stack("onnxruntime==1.20.1", "onnxruntime-gpu==1.20.2", "numpy==2.0.2", "head", "alpha", "beta")
    site = {
        "MODELSTACKS_HOME": str(settings.home),
        "MODELSTACKS_INDEX": index.url(),
        "CA_BUNDLE": str(settings.ca_bundle[0]),
    }
    done = cli("--json", "--stacks", str(settings.stacks[0]), "lock", "one", env=site)
    problems = [one["problem"].partition(" libcublas")[0] for one in document(done, code=2)["errors"]]
    assert problems == [
        "onnxruntime and onnxruntime-gpu are in one stack",
        "2 packages have no wheel for Python 3.11 on x86_64-manylinux_2_36, and an sdist",
        "opencv-python 4.9.0.80 meets numpy 2.0.2",
        "nothing in the lock holds",
        "alpha, beta is compiled, and the stack has no toolchain",
    ]
    assert "it ran" not in done.stderr and not (stack.folder / "stack.lock").exists()


def test_in_a_checkout_they_are_what_they_always_were() -> None:
    assert wheelhouse(Path("/any/stacks/one"), Path("/any")) == WHEELHOUSE
