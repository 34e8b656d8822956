"""Which wheels are locked, asked of the real uv over an index of our own."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.errors import InputError, SurroundingsError
from builder.lock import wheels
from builder.lock.model import Artifact
from builder.lock.routes import Routes, routes
from builder.net.session import Session
from builder.origin import Origin
from builder.settings import Settings
from builder.spec.model import Stack
from tests.lock.conftest import Index, MakeStack, sdist, wheel

Resolve = Callable[..., dict[str, Artifact]]


@pytest.fixture
def resolve(settings: Settings) -> Resolve:
    def run(stack: Stack, keep: tuple[Artifact, ...] = ()) -> dict[str, Artifact]:
        with Session(settings) as session:
            done = wheels.resolve(stack, routes(stack, session), settings, session, keep)
        return {item.project: item for item in done.found}

    return run


@pytest.mark.parametrize("json", [False, True], ids=["html", "json"])
def test_a_file_is_locked_by_name_size_and_hash(
    index: Index, make_stack: MakeStack, resolve: Resolve, json: bool
) -> None:
    index.json = json
    file, data = wheel("alpha", "1.2")
    index.add((file, data))
    (found,) = resolve(make_stack("alpha")).values()
    assert found == Artifact(
        kind="wheel",
        filename=file,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        origin=Origin.parse("index:default"),
        project="alpha",
        version="1.2",
    )


@pytest.mark.parametrize("json", [False, True], ids=["html", "json"])
@pytest.mark.parametrize("packages", [["knn"], ["app"]], ids=["direct", "dependency"])
def test_a_routed_package_comes_from_its_index_alone(
    index: Index, make_stack: MakeStack, resolve: Resolve, packages: list[str], json: bool
) -> None:
    index.json = json
    index.add(wheel("app", "1.0", ["KNN"]))
    index.add(wheel("knn", "9.0", ["trap"]))  # another project of the same name on the default index
    index.add(wheel("trap", "1.0"))
    index.add(wheel("knn", "1.0"), index="own")
    found = resolve(make_stack(*packages, indexes={"own": {"url": index.url("own"), "packages": ["Knn"]}}))
    assert (found["knn"].version, found["knn"].origin) == ("1.0", Origin.parse("index:own"))
    assert found.keys() == {*packages, "knn"}


def test_a_dependency_that_only_the_named_index_has_is_found(
    index: Index, make_stack: MakeStack, resolve: Resolve
) -> None:
    index.add(wheel("app", "1.0", ["rare-one"]))
    index.add(wheel("rare-one", "1.0", ["rarer"]), index="own")
    index.add(wheel("rarer", "2.0"), index="own")
    found = resolve(make_stack("app", indexes={"own": {"url": index.url("own"), "packages": ["rare-one", "rarer"]}}))
    assert {name: str(item.origin) for name, item in found.items()} == {
        "app": "index:default",
        "rare-one": "index:own",
        "rarer": "index:own",
    }


def test_a_named_index_gives_nothing_it_is_not_listed_for(
    index: Index, make_stack: MakeStack, resolve: Resolve
) -> None:
    own = {"own": {"url": index.url("own"), "packages": ["knn"]}}
    index.add(wheel("knn", "1.0", ["app"]), index="own")
    index.add(wheel("app", "5.0"), index="own")
    with pytest.raises(InputError) as caught:
        resolve(make_stack("knn", indexes=own))
    assert caught.value.problem == "app is not on the index it may come from"
    assert caught.value.fix == "correct the name, or list the package under the one of `indexes` that has it"
    index.add(wheel("app", "1.0"))
    found = resolve(make_stack("knn", indexes=own))
    assert (found["app"].version, found["app"].origin) == ("1.0", Origin.parse("index:default"))


def test_a_page_of_links_serves_as_an_index(index: Index, make_stack: MakeStack, resolve: Resolve) -> None:
    index.add(wheel("knn", "9.0"))
    index.add(wheel("knn", "1.0"), index="page")
    index.add(wheel("other", "1.0"), index="page")
    found = resolve(make_stack("knn", indexes={"own": {"find-links": index.url("page"), "packages": ["knn"]}}))
    assert (found["knn"].version, found["knn"].origin) == ("1.0", Origin.parse("index:own"))


@pytest.mark.parametrize(
    ("tags", "best"),
    [
        (
            ["py3-none-any", "cp311-none-any", "cp37-abi3-manylinux2014_x86_64", "cp311-cp311-manylinux_2_17_x86_64"],
            "cp311-cp311-manylinux_2_17_x86_64",
        ),
        (["cp311-cp311-manylinux1_x86_64", "cp311-cp311-manylinux_2_28_x86_64"], "cp311-cp311-manylinux_2_28_x86_64"),
        (["cp311-cp311-manylinux_2_39_x86_64", "cp311-cp311-manylinux1_x86_64"], "cp311-cp311-manylinux1_x86_64"),
        (["cp312-cp312-manylinux_2_17_x86_64", "cp38-abi3-manylinux_2_17_x86_64"], "cp38-abi3-manylinux_2_17_x86_64"),
        (["cp311-none-any", "py3-none-any"], "cp311-none-any"),
        (["cp311-cp311-win_amd64", "cp311-cp311-musllinux_1_2_x86_64", "py3-none-any"], "py3-none-any"),
        (["cp311-cp311-manylinux_2_17_aarch64", "py2.py3-none-any"], "py2.py3-none-any"),
    ],
)  # fmt: skip
def test_the_most_specific_wheel_is_locked(
    index: Index, make_stack: MakeStack, resolve: Resolve, tags: list[str], best: str
) -> None:
    for tag in tags:
        index.add(wheel("alpha", "1.0", tag=tag))
    assert resolve(make_stack("alpha"))["alpha"].filename == f"alpha-1.0-{best}.whl"


def test_an_sdist_is_refused_unless_the_stack_says_from_source(
    index: Index, make_stack: MakeStack, resolve: Resolve, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    file = sdist(
        "alpha", "1.0", f"open({str(ran)!r}, 'w').close()\nimport setuptools\nsetuptools.setup(name='alpha')\n"
    )
    index.add(file)
    with pytest.raises(InputError) as caught:
        resolve(make_stack("alpha"))
    assert caught.value.problem == "the requirements cannot be met together"
    assert "alpha==1.0 has no usable wheels" in caught.value.why
    fix = "choose versions with wheels for Python 3.11 on x86_64-manylinux_2_36, or name it in `from-source`"
    assert caught.value.fix == fix
    index.add(wheel("beta", "1.0"))
    index.add(sdist("beta", "1.0", ""))
    found = resolve(make_stack("alpha", "beta", **{"from-source": ["alpha"]}))
    assert (found["alpha"].kind, found["alpha"].filename, found["alpha"].size) == ("sdist", file[0], len(file[1]))
    assert found["beta"].kind == "wheel"
    assert not ran.exists()


def test_a_pin_that_left_the_index_names_its_neighbours(index: Index, make_stack: MakeStack, resolve: Resolve) -> None:
    for number in ("1.9.0", "1.20.0", "1.20.2", "1.21.0"):
        index.add(wheel("alpha-gpu", number))
    with pytest.raises(InputError) as caught:
        resolve(make_stack("alpha-gpu==1.20.1"))
    assert caught.value.problem == "alpha-gpu 1.20.1 is not on the default index"
    assert caught.value.fix == "pin 1.20.0 or 1.20.2 (the nearest that exist)"
    with pytest.raises(InputError) as caught:
        resolve(make_stack("alpha-gpu==3.0"))
    assert caught.value.fix == "pin 1.21.0 (the nearest that exist)"


def test_requirements_that_contradict_each_other_are_named(
    index: Index, make_stack: MakeStack, resolve: Resolve
) -> None:
    index.add(wheel("alpha", "1.0", ["beta<2"]))
    for number in ("1.0", "2.0"):
        index.add(wheel("beta", number))
    with pytest.raises(InputError) as caught:
        resolve(make_stack("alpha", "beta==2.0"))
    assert caught.value.problem == "the requirements cannot be met together"
    assert "all versions of alpha depend on beta<2" in caught.value.why
    assert caught.value.fix == "loosen one of the packages named"


@pytest.mark.parametrize("json", [False, True], ids=["html", "json"])
def test_where_an_index_tells_no_hash_the_files_own_is_locked(
    index: Index, make_stack: MakeStack, resolve: Resolve, json: bool
) -> None:
    index.json, index.hash = json, ""
    file, data = wheel("alpha", "1.0")
    index.add((file, data))
    index.add(wheel("alpha", "0.9"))
    assert resolve(make_stack("alpha"))["alpha"].sha256 == hashlib.sha256(data).hexdigest()


def test_a_weaker_hash_is_refused(index: Index, make_stack: MakeStack, resolve: Resolve) -> None:
    index.hash = "md5"
    index.add(wheel("alpha", "1.0"))
    with pytest.raises(InputError) as caught:
        resolve(make_stack("alpha"))
    assert caught.value.problem == "alpha has no sha256 on its index"
    assert caught.value.where == f"{index.url()}alpha/alpha-1.0-py3-none-any.whl"


def test_without_the_sites_ca_the_index_is_not_trusted(index: Index, make_stack: MakeStack, settings: Settings) -> None:
    index.add(wheel("alpha", "1.0"))
    bare = Settings(home=settings.home, stacks=settings.stacks, index=index.url())
    with pytest.raises(SurroundingsError) as caught:
        wheels.resolve(make_stack("alpha"), Routes(of={}), bare, Session(bare), ())
    assert caught.value.problem == "the certificate of localhost is not trusted"
    assert "UnknownIssuer" in caught.value.why
    assert "OU=Testing CA" in caught.value.why, "who issued it is told"


def test_of_two_builds_the_newer_is_locked_and_what_is_locked_stays(
    index: Index, make_stack: MakeStack, resolve: Resolve
) -> None:
    """As of torch 2.10.0: a file with build tag 3 was put beside the first one weeks later."""
    index.add(wheel("alpha", "1.0"))
    first = resolve(make_stack("alpha"))["alpha"]
    index.add(wheel("alpha", "1.0-3"))
    assert resolve(make_stack("alpha"))["alpha"].filename == "alpha-1.0-3-py3-none-any.whl"
    assert resolve(make_stack("alpha"), keep=(first,))["alpha"] == first


def test_an_override_holds_whatever_a_package_asks_for(index: Index, make_stack: MakeStack, resolve: Resolve) -> None:
    index.add(wheel("app", "1.0", ["lib<2"]))
    index.add(wheel("lib", "1.0"))
    index.add(wheel("lib", "2.0"))
    assert resolve(make_stack("app"))["lib"].version == "1.0"
    assert resolve(make_stack("app", overrides=["lib==2.0"]))["lib"].version == "2.0"
    assert "lib" not in resolve(make_stack(overrides=["lib==2.0"])), "an override alone asks for nothing"


def test_what_a_stack_goes_without_is_left_out_whoever_asks(
    index: Index, make_stack: MakeStack, resolve: Resolve
) -> None:
    index.add(wheel("app", "1.0", ["onnxruntime", "lib"]))
    index.add(wheel("onnxruntime", "1.0", ["lib"]))
    index.add(wheel("lib", "1.0"))
    assert resolve(make_stack("app", without=["ONNXruntime"])).keys() == {"app", "lib"}


def test_what_came_after_a_day_is_not_taken(index: Index, make_stack: MakeStack, resolve: Resolve) -> None:
    """The index here tells no dates: what has none cannot be older."""
    index.add(wheel("app", "1.0"))
    with pytest.raises(InputError, match=r"cannot be met|not on the"):
        resolve(make_stack("app", **{"exclude-newer": "2024-05-01"}))


def test_all_sdists_are_named_at_once_and_none_is_run(
    index: Index, make_stack: MakeStack, resolve: Resolve, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()\n"
    index.add(wheel("app", "1.0", ["hidden"]))
    index.add(sdist("hidden", "1.0", code, ["deeper>=1"]))
    index.add(sdist("deeper", "1.1", code))
    index.add(sdist("alpha", "1.0", code))
    with pytest.raises(InputError) as caught:
        resolve(make_stack("app", "alpha==1.0"))
    assert caught.value.problem.startswith("3 packages have no wheel for Python 3.11")
    fix = caught.value.fix
    assert "and a `toolchain`" in fix
    named = fix.partition("[")[2].partition("]")[0].split(", ")
    assert sorted(named) == ["alpha", "deeper", "hidden"]
    assert not ran.exists()
    found = resolve(make_stack("app", "alpha==1.0", **{"from-source": named}))
    assert {name: item.kind for name, item in found.items() if name != "app"} == dict.fromkeys(sorted(named), "sdist")


_BACKEND = """
import os, torch

def prepare_metadata_for_build_wheel(folder, settings=None):
    os.mkdir(f"{folder}/ext-1.0.dist-info")
    lines = ["Metadata-Version: 2.1", "Name: ext", "Version: 1.0", f"Requires-Dist: beside-{torch.version}"]
    with open(f"{folder}/ext-1.0.dist-info/METADATA", "w") as file:
        file.write("\\n".join([line.replace("beside-1.0", "beside") for line in lines]) + "\\n")
    return "ext-1.0.dist-info"

def get_requires_for_build_wheel(settings=None):
    return []
"""


@pytest.mark.parametrize("toolchain", [{}, {"toolchain": {"packages": ["torch"]}}], ids=["none", "unpinned"])
def test_an_sdist_that_asks_for_torch_to_tell_its_metadata_gets_the_stacks_own(
    index: Index, make_stack: MakeStack, resolve: Resolve, tmp_path: Path, toolchain: dict[str, object]
) -> None:
    """Its build script runs, as nothing else tells what it needs; the newest torch is not brought into uv's cache."""
    files = {
        "PKG-INFO": "Metadata-Version: 1.1\nName: ext\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = ["torch"]\nbuild-backend = "own"\nbackend-path = ["."]\n',
        "own.py": _BACKEND,
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"ext-1.0/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    index.add(("ext-1.0.tar.gz", out.getvalue()))
    index.add(wheel("beside", "1.0"))
    for number in ("1.0", "2.0"):
        index.add(wheel("torch", number))
    found = resolve(make_stack("torch==1.0", "ext", **{"from-source": ["ext"]}, **toolchain))
    assert {name: item.version for name, item in found.items()} == {"torch": "1.0", "ext": "1.0", "beside": "1.0"}
    unpacked = {path.read_text() for path in (tmp_path / "uv-cache").rglob("torch.py")}
    assert unpacked == {"version = '1.0'\n"}, "one torch is unpacked, the stack's"


def test_an_sdist_alone_counts_as_being_on_the_index(index: Index, make_stack: MakeStack, resolve: Resolve) -> None:
    index.add(wheel("alpha", "0.9"))
    index.add(sdist("alpha", "1.0", ""))
    index.add(wheel("beta", "1.0", ["alpha<1"]))
    with pytest.raises(InputError) as caught:
        resolve(make_stack("alpha==1.0", "beta", **{"from-source": ["alpha"]}))
    assert caught.value.problem == "the requirements cannot be met together"
    assert "alpha<1" in caught.value.why


def test_it_is_known_who_asks_for_a_package(index: Index, make_stack: MakeStack, settings: Settings) -> None:
    index.add(wheel("app", "1.0", ["lib"]))
    index.add(wheel("lib", "1.0"))
    stack = make_stack("app")
    with Session(settings) as session:
        done = wheels.resolve(stack, routes(stack, session), settings, session, ())
    assert dict(done.brought) == {"app": ("",), "lib": ("app",)}
