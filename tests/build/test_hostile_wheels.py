"""Wheels with odd members, installed by the very commands of a build: what leaves the environment, and what is refused.

All are installed in a container by the two commands that a rendered Dockerfile has for it; afterwards the engine says
which paths of the container changed.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import secrets
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.build import build, members, same_paths
from builder.engine.client import Engine
from builder.errors import InputError
from builder.lock import read
from builder.render import base_tag
from builder.ui import Ui
from tests.build.kit import ground
from tests.conftest import HOME

NAME = "odd-1.0-py3-none-any.whl"
INFO = "odd-1.0.dist-info"


@dataclass
class Wheel:
    """A wheel before it is packed. files: (name, data, mode) in order. record: its lines, None for those that fit."""

    files: list[tuple[str, bytes, int]] = field(default_factory=list)
    record: list[str] | None = None
    metadata: str = "Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n"
    info: str = INFO
    without: tuple[str, ...] = ()

    def add(self, name: str, data: bytes = b"x = 1\n", mode: int = 0o100644) -> Wheel:
        self.files.append((name, data, mode))
        return self

    def packed(self) -> bytes:
        rows = [("odd.py", b"x = 1\n", 0o100644), *self.files]
        rows.append((f"{self.info}/METADATA", self.metadata.encode(), 0o100644))
        rows.append((f"{self.info}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", 0o100644))
        lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data, _ in rows]
        text = "\n".join([*(lines if self.record is None else self.record), f"{self.info}/RECORD,,"]) + "\n"
        rows.append((f"{self.info}/RECORD", text.encode(), 0o100644))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, data, mode in rows:
                if name.rpartition("/")[2] not in self.without:
                    info = zipfile.ZipInfo(name)
                    info.create_system, info.external_attr = 3, mode << 16
                    archive.writestr(info, data)
        return out.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def points(text: str) -> Wheel:
    return Wheel().add(f"{INFO}/entry_points.txt", text.encode())


def packed(case: str) -> bytes:
    made = CASES[case][0]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own, of a name twice
        return made if isinstance(made, bytes) else made.packed()


def nul() -> bytes:
    return Wheel().add("odd_nul_evil.py").packed().replace(b"odd_nul_evil.py", b"odd.py\0evil.py!")


# What each is, what uv does with it by itself, and what `build` says of it before uv sees it ("" for nothing).
REFUSED, LEFT_OUT, TAKEN = "refused", "left out", "taken"
OUT = "leads out of the folder"
CASES: dict[str, tuple[Callable[[], Wheel | bytes], str | None, str]] = {
    "climbs": (lambda: Wheel().add("../../../../../../etc/evil.py"), LEFT_OUT, OUT),
    "absolute": (lambda: Wheel().add("/etc/evil.py"), LEFT_OUT, OUT),
    "climbs inside": (lambda: Wheel().add("odd/../../../evil.py"), LEFT_OUT, OUT),
    "a backslash": (lambda: Wheel().add("..\\..\\evil.py"), TAKEN, ""),
    "data that climbs": (lambda: Wheel().add("odd-1.0.data/data/../../../../etc/evil.py"), LEFT_OUT, OUT),
    "data that is absolute": (lambda: Wheel().add("odd-1.0.data/data//etc/evil.py"), TAKEN, OUT),
    "scripts that climb": (lambda: Wheel().add("odd-1.0.data/scripts/../../../etc/evil"), LEFT_OUT, OUT),
    "purelib that climbs": (lambda: Wheel().add("odd-1.0.data/purelib/../../../../../../etc/evil.py"), LEFT_OUT, OUT),
    "headers that climb": (lambda: Wheel().add("odd-1.0.data/headers/../../../../../etc/evil.h"), LEFT_OUT, OUT),
    "a kind of data that is none": (lambda: Wheel().add("odd-1.0.data/evil/x"), REFUSED, ""),
    "the data of another": (
        lambda: Wheel().add("other-1.0.data/data/etc/evil"),
        TAKEN,
        "of another project or version",
    ),
    "an entry point that climbs": (lambda: points("[console_scripts]\n../../../etc/evil = odd:x\n"), REFUSED, ""),
    "an entry point that is absolute": (lambda: points("[console_scripts]\n/etc/evil = odd:x\n"), REFUSED, ""),
    "an entry point with words": (
        lambda: points("[console_scripts]\na$(touch /etc/evil) = odd:x;import os\n"),
        REFUSED,
        "",
    ),
    "a link": (lambda: Wheel().add("odd_link.py", b"/etc/passwd", stat.S_IFLNK | 0o777), TAKEN, "no plain file"),
    "a link, then through it": (
        lambda: Wheel().add("lnk", b"/etc", stat.S_IFLNK | 0o777).add("lnk/evil.py"),
        REFUSED,
        "no plain file",
    ),
    "a device": (lambda: Wheel().add("odd_device", b"", stat.S_IFBLK | 0o644), TAKEN, "no plain file"),
    "a fifo": (lambda: Wheel().add("odd_fifo", b"", stat.S_IFIFO | 0o644), TAKEN, "no plain file"),
    "set-uid": (lambda: Wheel().add("odd-1.0.data/scripts/odd-root", b"#!/bin/sh\n", stat.S_IFREG | 0o6755), TAKEN, ""),
    "a member twice": (lambda: Wheel().add("odd.py", b"x = 2\n"), None, "more than once"),
    "a file that is a folder too": (lambda: Wheel().add("odd.py/evil.py"), REFUSED, ""),
    "names of another case": (lambda: Wheel().add("ODD.py", b"x = 2\n"), TAKEN, ""),
    "a line end in a name": (lambda: Wheel().add("odd\nevil.py"), REFUSED, OUT),
    "a NUL in a name": (nul, REFUSED, "more than once"),
    "a name of 300 letters": (lambda: Wheel().add("n" * 300 + ".py"), REFUSED, ""),
    "a path of 5000 letters": (lambda: Wheel().add("/".join(["n" * 99] * 50)), REFUSED, ""),
    "no RECORD": (lambda: Wheel(without=("RECORD",)), REFUSED, ""),
    "no METADATA": (lambda: Wheel(without=("METADATA",)), REFUSED, ""),
    "no WHEEL": (lambda: Wheel(without=("WHEEL",)), REFUSED, ""),
    "a RECORD of paths outside": (
        lambda: Wheel(record=["odd.py,,", "../../../../../../etc/passwd,,", "/etc/evil,,"]),
        TAKEN,
        "outside of it",
    ),
    "a RECORD of other bytes": (lambda: Wheel(record=[f"odd.py,sha256={_digest(b'other')},5"]), TAKEN, ""),
    "a RECORD of nothing": (lambda: Wheel(record=[]), TAKEN, ""),
    "the metadata of another project": (
        lambda: Wheel(metadata="Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"),
        REFUSED,
        "",
    ),
    "the metadata of another version": (
        lambda: Wheel(metadata="Metadata-Version: 2.1\nName: odd\nVersion: 2.0\n"),
        REFUSED,
        "",
    ),
    "a folder of another project": (lambda: Wheel(info="other-1.0.dist-info"), TAKEN, "of another project or version"),
    "a folder of another version": (lambda: Wheel(info="odd-2.0.dist-info"), TAKEN, "of another project or version"),
    "two projects": (
        lambda: Wheel().add("six-1.17.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: six\n"),
        REFUSED,
        "of another project or version",
    ),
    "the interpreter as a script": (
        lambda: Wheel().add("odd-1.0.data/scripts/python", b"#!/bin/sh\n", 0o100755),
        REFUSED,
        "environment itself",
    ),
    "the interpreter as data": (
        lambda: Wheel().add("odd-1.0.data/data/bin/python3", b"#!/bin/sh\n", 0o100755),
        None,
        "environment itself",
    ),
    "the environment's own file": (
        lambda: Wheel().add("odd-1.0.data/data/pyvenv.cfg", b"home = /nowhere\n"),
        None,
        "environment itself",
    ),
    "an archive in it": (lambda: Wheel().add("odd.zip", Wheel().add("../../../evil").packed()), TAKEN, ""),
    "70000 members": (lambda: Wheel(files=[(f"odd/{n}", b"", 0o100644) for n in range(70_000)], record=[]), TAKEN, ""),
    "an encrypted member": (
        lambda: Wheel().packed().replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0", 1),
        None,
        "is encrypted",
    ),
    "nothing odd": (
        lambda: Wheel().add("odd-1.0.data/data/share/odd.txt").add("odd-1.0.data/scripts/odd", b"#!python\n"),
        TAKEN,
        "",
    ),
}


@pytest.fixture(scope="module")
def commands(tiny: Path) -> tuple[list[str], list[str]]:
    """The two RUN commands of the rendered Dockerfile of `tiny`, and the options for the stage's variables."""
    text = (HOME / "build" / "tiny" / "Dockerfile").read_text().replace("\\\n", " ")
    runs = [line for line in text.splitlines() if line.startswith("RUN ") and "/mnt/uv/uv" in line]
    assert len(runs) == 2 and "uv venv" in runs[0] and "--require-hashes" in runs[1]
    env = next(line for line in text.splitlines() if line.startswith("ENV UV_NO_CACHE"))
    words = [word for pair in re.findall(r"[A-Z_]+=\S+", env) for word in ("--env", pair)]
    return [re.sub(r"--mount=\S+\s*", "", run.removeprefix("RUN ")) for run in runs], words


@pytest.fixture(scope="module")
def seen(
    commands: tuple[list[str], list[str]], tiny: Path, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """All cases, one after the other in one container: by case the exit code, a blank, and the paths that it left.

    Under "": what changed in the container outside of the places that a build throws away or hands on.
    """
    folder = tmp_path_factory.mktemp("wheels")
    for number, case in enumerate(CASES):
        (folder / str(number)).mkdir()
        data = packed(case)
        (folder / str(number) / NAME).write_bytes(data)
        pin = f"odd==1.0 --hash=sha256:{hashlib.sha256(data).hexdigest()}\n"
        (folder / str(number) / "requirements.txt").write_text(pin)
    (uv,) = (HOME / "assets" / "tools").glob("uv-*")
    (venv, install), env = commands
    (folder / "all.sh").write_text(
        f"for n in $(seq 0 {len(CASES) - 1}); do rm -rf /layer /opt/venv /mnt/wheels; ln -s /cases/$n /mnt/wheels\n"
        f"({venv}) 2>&1 && ({install}) > /tmp/said 2>&1; echo CASE $n $?\n"
        "find /layer /opt -name '*odd*' -o -name '*evil*'\n"
        "done\n"
    )
    name = f"modelstacks-test-wheels-{secrets.token_hex(4)}"
    mounts = ["--volume", f"{uv}:/mnt/uv:ro", "--volume", f"{folder}:/cases:ro"]
    words = ["run", "--network=none", "--name", name, *env, *mounts, base_tag(read(tiny / "tiny").base)]
    try:
        said = engine.run([*words, "sh", "/cases/all.sh"], check=False).stdout
        changed = [line[2:] for line in engine.run(["diff", name]).stdout.splitlines()]
    finally:
        engine.run(["rm", "--force", name], check=False)
    found = dict(zip(CASES, re.split(r"^CASE \d+ ", said, flags=re.M)[1:], strict=True))
    yield {**found, "": "\n".join(one for one in changed if not re.match(r"/(layer|opt|tmp|mnt|cases)(/|$)", one))}


@pytest.mark.parametrize("case", CASES)
def test_what_uv_does_with_it_in_the_container(case: str, seen: dict[str, str]) -> None:
    wanted = CASES[case][1]
    code, _, paths = seen[case].partition("\n")
    if wanted is not None:
        evil = any("evil" in path or "link" in path for path in paths.splitlines())
        assert (code != "0") == (wanted == REFUSED)
        assert wanted != LEFT_OUT or not evil


def test_nothing_of_any_wheel_leaves_the_environment(seen: dict[str, str]) -> None:
    assert seen[""] == ""


@pytest.mark.parametrize("case", CASES)
def test_what_is_odd_is_refused_before_the_build(case: str, tmp_path: Path) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(packed(case))
    if said := CASES[case][2]:
        with pytest.raises(InputError, match=said) as caught:
            members.refuse([wheel])
        assert (caught.value.where, caught.value.problem) == (str(wheel), f"{NAME} is no proper wheel")
    else:
        members.refuse([wheel])


def test_a_path_that_a_record_is_silent_about_clashes_too(tmp_path: Path) -> None:
    one, two = tmp_path / "six-1.0-py3-none-any.whl", tmp_path / NAME
    one.write_bytes(Wheel(files=[("six.py", b"good", 0o100644)], info="six-1.0.dist-info").packed())
    two.write_bytes(
        Wheel(files=[("six.py", b"other", 0o100644)], record=[f"odd.py,sha256={_digest(b'x = 1')},6"]).packed()
    )
    with pytest.raises(InputError, match="install the same paths with other bytes"):
        same_paths.refuse([one, two])


def test_the_verb_refuses_it_and_makes_no_image(engine: Engine, tmp_path: Path) -> None:
    """Locked from an index, fetched, held to its sha256, and refused by `build`."""
    with ground(tmp_path) as here:
        here.site.files[NAME] = data = packed("climbs")
        row = f'<a href="{NAME}#sha256={hashlib.sha256(data).hexdigest()}">{NAME}</a>'
        here.site.files["index.html"] = f"<!DOCTYPE html><html><body>{row}</body></html>".encode()
        index = {"find-links": f"{here.site.url}/files/index.html", "packages": ["odd"]}
        here.write("odd-wheel", packages=["odd==1.0"], indexes={"own": index})
        stack, lock = here.locked("odd-wheel")
        with pytest.raises(InputError, match=f"{NAME} is no proper wheel"):
            build(stack, lock, here.settings, engine, Ui())
        assert engine.image(here.settings.image("odd-wheel")) is None
