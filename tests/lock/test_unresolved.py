"""Locks with parts that could not be reached: what is in them, what they refuse, and how they become whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import tomli

from builder.check import packaged_facts
from builder.check.model import Case
from builder.errors import InputError, JobError, SurroundingsError
from builder.lock import base, read, require_whole, resolve, routes, wheels
from builder.lock.known import known
from builder.lock.model import LockedBase, StackLock, Unresolved
from builder.lock.verb import complete
from builder.net.session import Session
from builder.origin import Origin
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import load_stack
from builder.ui import Ui
from tests.conftest import cli
from tests.lock.conftest import FAMILY, Index, MakeStack, sdist, wheel

NOWHERE = "https://127.0.0.1:1"  # nothing listens on port 1
FILE = "torch-1.12.1+cu113-cp38-cp38-linux_x86_64.whl"
OLD = {"base": {"image": "127.0.0.1:1/nvidia/cuda:11.3.1", "glibc": "2.31"}, "python": "3.8"}


@pytest.fixture
def filled(index: Index) -> Index:
    for name in ("typing-extensions", "alpha", "addict", "numpy", "packaging", "pillow", "pyyaml", "yapf"):
        index.add(wheel(name, "1.0"))
    index.add(wheel("opencv-python", "4.0"))
    return index


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that are not there are asked again all the same, at once."""
    monkeypatch.setattr(Session, "pause", lambda *_: None)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


@pytest.fixture(autouse=True)
def a_base_of_no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive has no part in this: apt and real bases are tested beside this file."""
    include = tuple(FAMILY["base"]["bootstrap"]["packages"])
    empty = base.System(LockedBase(kind="bootstrap", distribution="debian", include=include), (), ())
    real = base.locked
    monkeypatch.setattr(base, "locked", lambda stack, *more: real(stack, *more) if stack.base.image else empty)


def lock(stack: Stack, settings: Settings, *, partly: bool = True) -> StackLock:
    return resolve.lock(stack, settings.stacks[0] / "one", settings, Ui(), partly=partly).lock


def torch_stack(make_stack: MakeStack, url: str = f"{NOWHERE}/whl", **family: object) -> Stack:
    python = {"python": "3.8", "base": FAMILY["base"] | {"glibc": "2.31"}}
    indexes = {"pytorch": {"url": url, "packages": ["torch"]}}
    return make_stack("alpha", "torch==1.12.1+cu113", family=python | family, indexes=indexes)


def test_every_known_wheel_is_well_formed() -> None:
    for one in known():
        assert one.source and (not one.sha256 or len(one.sha256) == 64), one.file
        assert one.project in {"torch", "torchvision", "torchaudio", "mmcv-full", "pytorch3d"} or one.requires


def test_what_cannot_be_reached_is_left_and_the_rest_is_locked(
    filled: Index, make_stack: MakeStack, settings: Settings
) -> None:
    stack = torch_stack(make_stack)
    made = lock(stack, settings)
    sha256 = next(one.sha256 for one in known() if one.file == FILE)
    assert made.unresolved == (
        Unresolved(
            kind="wheel",
            name="torch",
            version="1.12.1+cu113",
            filename=FILE,
            sha256=sha256,
            origin=Origin.parse("index:pytorch"),
        ),
    )
    assert [item.project for item in made.wheels] == ["alpha", "typing-extensions"], "its requirements are locked"
    assert read(settings.stacks[0] / "one") == made
    pylock = tomli.loads((settings.stacks[0] / "one" / "pylock.toml").read_text())
    assert pylock["tool"] == {"modelstacks": {"unresolved": ["torch==1.12.1+cu113"]}}
    case = Case(stack=stack, lock=made, facts=packaged_facts(), today=None)  # type: ignore[arg-type]
    assert str(case.image.version("torch")) == "1.12.1+cu113"
    before = (settings.stacks[0] / "one" / "stack.lock").read_text()
    assert lock(stack, settings) == made
    assert (settings.stacks[0] / "one" / "stack.lock").read_text() == before, "nothing new, nothing written"


def test_without_asking_for_it_nothing_is_left(filled: Index, make_stack: MakeStack, settings: Settings) -> None:
    with pytest.raises(SurroundingsError, match="uv could not reach an index"):
        lock(torch_stack(make_stack), settings, partly=False)
    assert not (settings.stacks[0] / "one" / "stack.lock").exists()


def test_a_base_a_source_and_a_weight_are_left(filled: Index, make_stack: MakeStack, settings: Settings) -> None:
    extension = {"name": "own", "git": f"{NOWHERE}/own.git", "commit": "b" * 40, "compiled": ["own"]}
    stack = make_stack(
        "alpha",
        family=OLD,
        system=["ffmpeg"],
        toolchain={"system": ["g++"]},
        sources=[{"git": f"{NOWHERE}/team/code", "commit": "a" * 40, "into": "/workspace"}],
        extensions=[extension],
        weights=[
            {"url": f"{NOWHERE}/net.pth", "sha256": "c" * 64, "into": "/models"},
            {"url": f"{NOWHERE}/size-is-known.pth", "sha256": "d" * 64, "size": 5, "into": "/models"},
        ],
    )
    made = lock(stack, settings)
    assert [(one.kind, one.name, one.sha256) for one in made.unresolved] == [
        ("weight", "net.pth", "c" * 64),
        ("base", "127.0.0.1:1/nvidia/cuda", ""),
        ("deb", "ffmpeg", ""),
        ("deb", "g++", ""),
        ("source", "code", ""),
        ("source", "own", ""),
    ]
    assert [one.size for one in made.weights] == [5]
    assert (made.base.reference, made.base.digest) == ("127.0.0.1:1/nvidia/cuda:11.3.1", "")


def test_it_is_not_built_nor_carried(filled: Index, make_stack: MakeStack, settings: Settings) -> None:
    made = lock(torch_stack(make_stack), settings)
    with pytest.raises(InputError) as caught:
        require_whole(made, settings.stacks[0] / "one")
    assert caught.value.problem == "the lock of one is not whole: torch unresolved"
    assert caught.value.fix == "run `make lock STACK=one` where they can be reached"
    words = ["--json", "--set", f"home={settings.home}", "--stacks", str(settings.stacks[0])]
    for verb in (["render", "one"], ["fetch", "--offline", "one"], ["build", "one"], ["export", "one"]):
        done = cli(*words, *verb)
        assert done.returncode == 2, verb
        assert json.loads(done.stdout)["errors"][0]["problem"] == caught.value.problem, verb
    rows = json.loads(cli(*words, "list").stdout)["stacks"]
    assert [row["lock"] for row in rows if row["name"] == "one"] == ["partial"]


def test_a_server_that_is_not_trusted_is_no_reason_to_leave_it(
    filled: Index, make_stack: MakeStack, settings: Settings
) -> None:
    filled.add(wheel("torch", "1.12.1+cu113", tag="cp38-cp38-linux_x86_64"), index="whl")
    bare = Settings(home=settings.home, stacks=settings.stacks, index=settings.index)
    with pytest.raises(SurroundingsError, match="the certificate of localhost is not trusted"):
        lock(torch_stack(make_stack, filled.url("whl")), bare)


def test_a_wheel_that_nobody_knows_cannot_be_left(filled: Index, make_stack: MakeStack, settings: Settings) -> None:
    indexes = {"rare": {"url": f"{NOWHERE}/whl", "packages": ["rare-one"]}}
    with pytest.raises(InputError) as caught:
        lock(make_stack("rare-one==1.0", indexes=indexes), settings)
    assert caught.value.problem == "nothing is publicly known of rare-one, and its index rare cannot be reached"


def test_it_becomes_whole_with_the_versions_it_has(filled: Index, make_stack: MakeStack, settings: Settings) -> None:
    """mmcv-full's sha256 is in no public source: the index tells it when it is reached."""
    page = {"mmcv": {"find-links": "https://mmcv.invalid/index.html", "packages": ["mmcv-full"]}}
    python = {"python": "3.8", "base": FAMILY["base"] | {"glibc": "2.31"}}
    stack = make_stack("alpha", "mmcv-full==1.7.1", family=python, indexes=page)
    left = lock(stack, settings)
    assert [(one.filename, one.sha256) for one in left.unresolved] == [
        ("mmcv_full-1.7.1-cp38-cp38-manylinux1_x86_64.whl", "")
    ]
    filled.add(wheel("alpha", "2.0"))
    name, data = wheel("mmcv-full", "1.7.1", ["addict"], tag="cp38-cp38-manylinux1_x86_64")
    filled.add((name, data), index="mmcv")
    reached = replace(settings, rewrites={"https://mmcv.invalid/index.html": (filled.url("mmcv"),)})
    complete(stack, reached, Ui(), fixed=True)
    assert read(settings.stacks[0] / "one") == left, "a frozen or offline run leaves it"
    complete(stack, reached, Ui(), fixed=False)
    whole = read(settings.stacks[0] / "one")
    assert whole.unresolved == ()
    locked = {item.project: item for item in whole.wheels}
    assert locked["alpha"].version == "1.0", "what was locked is kept"
    assert locked["mmcv-full"].sha256 == hashlib.sha256(data).hexdigest()
    assert "yapf" not in locked, "the wheel itself tells what it requires"


def test_a_wheel_that_is_publicly_known_as_another_is_refused(
    filled: Index, make_stack: MakeStack, settings: Settings
) -> None:
    stack = torch_stack(make_stack, "https://torch.invalid/whl")
    left = lock(stack, settings)
    name, data = wheel("torch", "1.12.1+cu113", tag="cp38-cp38-linux_x86_64")
    assert name == FILE
    filled.add((name, data), index="whl")
    reached = replace(settings, rewrites={"https://torch.invalid/whl": (filled.url("whl"),)})
    with pytest.raises(JobError) as caught:
        lock(stack, reached)
    assert caught.value.problem == f"the index serves other bytes under the name {FILE}"
    assert "publicly known as 4adf483a" in caught.value.why
    assert read(settings.stacks[0] / "one") == left


def test_a_whole_lock_is_not_given_up_for_one_with_holes(
    filled: Index, make_stack: MakeStack, settings: Settings
) -> None:
    whole = lock(make_stack("alpha"), settings)
    with pytest.raises(SurroundingsError) as caught:
        lock(torch_stack(make_stack), settings)
    assert caught.value.problem == "one would lose what is locked: torch unresolved"
    assert read(settings.stacks[0] / "one") == whole


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{ kind = "demon", name = "a" }', ".kind: 'demon' is not known"),
        ('{ kind = "wheel", name = "a", file = "../a.whl" }', ".file: '../a.whl' is not a file name"),
        ('{ kind = "wheel", name = "a", version = "1 && b" }', ".version: '1 && b' is not a name or version"),
        ('{ kind = "wheel", name = "a", sha256 = "abc" }', ".sha256: 'abc' is not a sha256"),
        ('{ kind = "deb", name = "a\\nb" }', r".name: 'a\nb' is not the name of what is unresolved"),
        ('{ kind = "deb" }', ".name: it is missing"),
        ('"a"', ": it is text where a table belongs"),
    ],
)
def test_a_malformed_row_is_refused(
    filled: Index, make_stack: MakeStack, settings: Settings, row: str, problem: str
) -> None:
    lock(torch_stack(make_stack), settings)
    path = settings.stacks[0] / "one" / "stack.lock"
    lines = [f"    {row}," if '"torch"' in line else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read(path.parent)
    assert caught.value.problem.startswith(f"unresolved[0]{problem}")


FALLBACK = {"name": "knn", "compiled": ["knn"], "cuda": False}


def fallback(make_stack: MakeStack, url: str, **extension: object) -> Stack:
    indexes = {"own": {"url": url, "packages": ["knn"], "fallback": True}}
    return make_stack(
        "alpha", "knn==1.0", indexes=indexes, toolchain={"packages": []}, extensions=[FALLBACK | extension]
    )


def resolved(stack: Stack, settings: Settings) -> dict[str, tuple[str, str]]:
    with Session(settings) as session:
        done = wheels.resolve(stack, routes.routes(stack, session), settings, session, ())
    return {item.project: (item.kind, str(item.origin)) for item in done.found}


def test_a_fallback_is_compiled_only_where_no_wheel_fits(
    filled: Index, make_stack: MakeStack, settings: Settings
) -> None:
    filled.add(sdist("knn", "1.0", "raise SystemExit"))
    stack = fallback(make_stack, filled.url("own"))
    compiled = {"alpha": ("wheel", "index:default"), "knn": ("sdist", "index:default")}
    assert resolved(stack, settings) == compiled, "the index has no such page"
    filled.add(wheel("knn", "1.0", tag="cp38-cp38-manylinux1_x86_64"), index="own")
    filled.add(wheel("knn", "2.0"), index="own")
    assert resolved(stack, settings) == compiled, "another Python's wheel, and one of another version"
    filled.add(wheel("knn", "1.0"), index="own")
    assert resolved(stack, settings) == compiled | {"knn": ("wheel", "index:own")}


def test_a_fallback_with_a_git_source_needs_no_sdist(filled: Index, make_stack: MakeStack, settings: Settings) -> None:
    stack = fallback(make_stack, filled.url("own"), git="https://example.org/knn", commit="a" * 40)
    assert resolved(stack, settings) == {"alpha": ("wheel", "index:default")}
    filled.add(wheel("knn", "1.0"), index="own")
    assert resolved(stack, settings)["knn"] == ("wheel", "index:own")


def test_an_index_that_cannot_be_reached_is_no_reason_to_compile(
    filled: Index, make_stack: MakeStack, settings: Settings
) -> None:
    filled.add(sdist("knn", "1.0", "raise SystemExit"))
    with pytest.raises(SurroundingsError):
        resolved(fallback(make_stack, NOWHERE), settings)


def test_a_fallback_wants_an_extension(make_stack: MakeStack, settings: Settings) -> None:
    indexes = {"own": {"url": "https://example.org/simple", "packages": ["knn"], "fallback": True}}
    with pytest.raises(InputError) as caught:
        make_stack("knn==1.0", indexes=indexes)
    assert "index own has `fallback`, and no extension is called knn" in caught.value.problem
    folder = settings.stacks[0] / "one"
    text = json.loads((folder / "stack.yaml").read_text())
    text["extensions"] = [FALLBACK | {"path": "/workspace/knn"}]
    text["sources"] = [{"git": "https://example.org/code", "commit": "a" * 40, "into": "/workspace"}]
    Path(folder, "stack.yaml").write_text(json.dumps(text))
    with pytest.raises(InputError) as caught:
        load_stack("one", settings)
    assert caught.value.fix == "give it `git`, or nothing for its sdist"
