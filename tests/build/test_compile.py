"""Extensions compiled by the real engine without a network: recorded, kept, mirrored, carried, and importable."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.build import build, compile_all
from builder.build import compile as compiling
from builder.engine.client import Engine
from builder.errors import InputError, JobError
from builder.failures import recognise_file
from builder.fetch import fetch
from builder.files import sha256_of
from builder.lock import StackLock, inputs_digest, read, require_fresh, resolve, sources, store
from builder.lock.model import Artifact
from builder.origin import Origin
from builder.render import Recipe, recipes
from builder.spec import load_stack
from builder.spec.model import Stack
from builder.ui import Ui
from tests.build.kit import TOOLCHAIN, Ground, ground, package, python, talking
from tests.conftest import FAMILY, IMAGES, REPO, cli, document, remove_images
from tests.registry import registry

PROJECTS = ["diff-gaussian-rasterization", "fromgit", "fromsdist", "gridencoder", "plain", "simple-knn"]
LOOK = """
import importlib, json
found = {}
for name in ("diff_gaussian_rasterization._C", "simple_knn._C", "_gridencoder", "fromgit", "fromsdist", "plain"):
    module = importlib.import_module(name)
    found[name] = [module.answer(), module.__file__.rpartition("/")[0]]
import gridencoder
found["gridencoder"] = gridencoder._backend.__name__
print(json.dumps(found))
"""
SITE = "/opt/venv/lib/python3.11/site-packages"
COMPILED = ".cpython-311-x86_64-linux-gnu.so"


@dataclass(frozen=True)
class Made:
    """The stack `kit`, locked, fetched, compiled and built."""

    ground: Ground
    stack: Stack
    lock: StackLock
    image: str

    @property
    def folder(self) -> Path:
        return self.ground.folder("kit")


def own_files(here: Ground, main: str) -> None:
    """Write files/ of the stack `kit`; only serve/bin is asked for."""
    top = here.folder("kit") / "files" / "serve"
    for name, text in {
        "bin/main.py": f"import os, sys\n{main}\nprint(sys.argv[1:], sorted(os.listdir('/opt/serve')))\n",
        "bin/run.sh": "#!/bin/sh\necho run\n",
        "bin/.hidden": "",
        "notes.txt": "not asked for",
    }.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)


def kit(here: Ground) -> None:
    """Write the stack `kit`: a package of each kind that can be compiled."""
    project = here.repository("talking", talking())
    own = here.repository(
        "own", {f"python/{path}": text for path, text in package("fromgit", "fromgit", answer="0").items()}
    )
    here.sdist("fromsdist", package("fromsdist", "fromsdist", answer=""))
    here.sdist("plain", package("plain", "plain", answer="47"))
    path = "/workspace/submodules"
    own_files(here, "print(os.getcwd(), 'first')")
    more: dict[str, Any] = {"from-source": ["fromsdist", "plain"]}
    here.write(
        "kit",
        files=[{"from": "serve/bin", "into": "/opt/serve"}],
        entrypoint=["python", "/opt/serve/main.py", "two words"],
        workdir="/workspace/gridencoder",
        packages=["fromsdist==1.0", "plain==1.0"],
        indexes={"own": {"find-links": f"{here.site.url}/files/index.html", "packages": ["fromsdist", "plain"]}},
        **more,
        sources=[project | {"into": "/workspace"}],
        paths=["/workspace"],
        extensions=[
            {
                "name": "diff_gaussian_rasterization",
                "path": f"{path}/diff-gaussian-rasterization",
                "import": ["diff_gaussian_rasterization"],
                "compiled": ["diff_gaussian_rasterization._C"],
            },
            {
                "name": "simple-knn",
                "path": f"{path}/simple-knn",
                "compiled": ["simple_knn._C"],
                "install": "editable",
            },
            {
                "name": "gridencoder",
                "path": "/workspace/gridencoder",
                "import": ["gridencoder"],
                "compiled": ["_gridencoder"],
                "install": "editable",
            },
            own
            | {
                "name": "fromgit",
                "folder": "python",
                "compiled": ["fromgit"],
                "edits": [{"file": "python/ext.cpp", "old": "#define ANSWER 0", "new": "#define ANSWER 45"}],
            },
            {"name": "fromsdist", "compiled": ["fromsdist"], "flags": {"cxx": ["-DANSWER=46"]}},
        ],
    )


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("compile")) as made:
        yield made


@pytest.fixture(scope="module")
def made(here: Ground, engine: Engine) -> Iterator[Made]:
    kit(here)
    stack, lock = here.locked("kit")
    try:
        lock = compile_all(stack, lock, here.folder("kit"), here.settings, engine, Ui())
        image = build(stack, lock, here.settings, engine, Ui()).tag
        yield Made(here, stack, lock, image)
    finally:
        remove_images(engine, "kit")


def test_each_wheel_is_kept_under_its_key_and_recorded(made: Made) -> None:
    lock = read(made.folder)
    require_fresh(made.stack, lock, made.folder)
    assert lock == made.lock
    assert sorted(item.project for item in lock.built) == PROJECTS
    for recipe, item in zip(recipes(made.stack, lock), lock.built, strict=True):
        folder = made.ground.settings.wheels / "built" / recipe.key
        assert sha256_of(folder / item.filename) == item.sha256
        record = json.loads((folder / compiling.RECORD).read_text())
        assert (record["filename"], record["sha256"]) == (item.filename, item.sha256)
        assert record["inputs"] == recipe.inputs
    assert {path.split("/")[0] for path in made.ground.kept()} == {recipe.key for recipe in recipes(made.stack, lock)}


def test_everything_imports_from_anywhere_without_a_compiler(made: Made, engine: Engine) -> None:
    done = python(engine, made.image, LOOK)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "diff_gaussian_rasterization._C": [42, f"{SITE}/diff_gaussian_rasterization"],
        "simple_knn._C": [43, "/workspace/submodules/simple-knn/simple_knn"],
        "_gridencoder": [44, "/workspace/gridencoder"],
        "fromgit": [45, SITE],
        "fromsdist": [46, SITE],
        "plain": [47, SITE],
        "gridencoder": "_gridencoder",
    }
    look = ["run", "--rm", "--entrypoint", "sh", made.image, "-c", "command -v g++ gcc cc ninja; true"]
    assert engine.run(look).stdout == "", "nothing of the toolchain is in the image"
    names = "sorted(one.metadata['Name'].lower().replace('_', '-') for one in distributions())"
    listed = python(engine, made.image, f"from importlib.metadata import distributions; print(*{names})")
    assert listed.stdout.split() == PROJECTS


def test_without_what_was_compiled_gridencoder_would_compile_itself(made: Made, engine: Engine) -> None:
    """The control: it is the compiled module that serves, and its absence shows."""
    code = "import sys; sys.modules['_gridencoder'] = None; import gridencoder"
    done = python(engine, made.image, code)
    assert done.returncode == 1
    assert "compiling at first import" in done.stderr


def test_a_container_starts_as_the_stack_says_with_its_own_files(made: Made, engine: Engine) -> None:
    def started(image: str) -> list[str]:
        return engine.run(["run", "--rm", "--network=none", image]).stdout.splitlines()

    assert started(made.image) == ["/workspace/gridencoder first", "['two words'] ['main.py', 'run.sh']"]
    script = engine.run(["run", "--rm", "--entrypoint", "/opt/serve/run.sh", "--user", "1234:1234", made.image]).stdout
    assert script == "run\n"

    there = made.ground.other("changed", compiled=True)
    own_files(there, "print('second')")
    tag = f"{IMAGES}/made:{secrets.token_hex(6)}"
    try:
        stack, lock = load_stack("kit", there.settings), read(there.folder("kit"))
        require_fresh(stack, lock, there.folder("kit"))
        build(stack, lock, there.settings, engine, Ui(), tag=tag)
        assert started(tag)[0] == "second", "another file is another image, by the same lock"
        again = build(stack, lock, there.settings, engine, Ui(), tag=tag)
        assert again.built is False
    finally:
        engine.remove(tag)


def compiled(here: Ground, name: str, engine: Engine, **keys: bool) -> StackLock:
    """Have a stack's wheels, by the lock that it has."""
    folder = here.folder(name)
    return compile_all(load_stack(name, here.settings), read(folder), folder, here.settings, engine, Ui(), **keys)


def test_a_second_run_starts_no_compiler_even_with_the_image_gone(made: Made, engine: Engine) -> None:
    before = made.ground.logs("kit")
    assert sorted(before) == PROJECTS
    assert compiled(made.ground, "kit", engine) == made.lock
    image = engine.image(made.image)
    remove_images(engine, "kit")
    assert compiled(made.ground, "kit", engine, frozen=True) == made.lock
    again = build(made.stack, made.lock, made.ground.settings, engine, Ui())
    assert made.ground.logs("kit") == before
    assert image is not None and again.id == image.id


def test_the_image_is_the_same_when_everything_is_built_anew(made: Made, engine: Engine) -> None:
    tag = f"{IMAGES}/made:{secrets.token_hex(6)}"
    try:
        again = build(made.stack, made.lock, made.ground.settings, engine, Ui(), tag=tag, use_cache=False)
        image = engine.image(made.image)
        assert image is not None and again.id == image.id
    finally:
        engine.remove(tag)


def unrecorded(here: Ground, name: str) -> StackLock:
    """Make the lock one of before the first compile."""
    return store.write(here.folder(name), replace(read(here.folder(name)), built=()))


@pytest.fixture
def mirror(made: Made) -> Iterator[dict[str, bytes]]:
    """A copy of wheels/built on the server, by path; gone after the test."""
    top = made.ground.settings.wheels / "built"
    files = {f"built/{name}": (top / name).read_bytes() for name in made.ground.kept()}
    made.ground.site.files |= files
    yield files
    for name in files:
        made.ground.site.files.pop(name, None)
        made.ground.site.faults.pop(name, None)


def test_wheels_come_from_the_sites_mirror_and_nothing_is_compiled(
    made: Made, mirror: dict[str, bytes], engine: Engine
) -> None:
    there = made.ground.other("mirrored", built=f"{made.ground.site.url}/files/built")
    lock = compiled(there, "kit", engine, frozen=True)
    assert (lock, there.logs("kit")) == (made.lock, {}), "taken by the lock's own hash"
    assert {name for name in there.kept() if ".verified" not in name} == made.ground.kept()

    other = made.ground.other("unrecorded", built=f"{made.ground.site.url}/files/built")
    unrecorded(other, "kit")
    assert compiled(other, "kit", engine).built == made.lock.built, "taken by the mirror's record, and recorded"
    assert other.logs("kit") == {}


def test_another_builder_takes_everything_from_the_registry_it_was_shared_in_and_compiles_nothing(
    made: Made, engine: Engine, tmp_path: Path
) -> None:
    """Its home is empty: wheels, sources, compilers and what was compiled come from there, no other site is asked."""
    before, asked = engine.image(made.image), len(made.ground.site.log)
    shutil.copytree(made.ground.settings.stacks[0], tmp_path / "stacks")
    own = made.ground.environment
    there = own | {"MODELSTACKS_HOME": str(tmp_path / "home"), "MODELSTACKS_STACKS": str(tmp_path / "stacks")}
    with registry(tmp_path) as address:
        there["MODELSTACKS_FILES"] = f"{address}/team/files"
        document(cli("--json", "share", "kit", "--registry", there["MODELSTACKS_FILES"], env=own))
        document(cli("--json", "fetch", "kit", env=there))
        remove_images(engine, "kit")
        done = cli("--json", "build", "--frozen", "kit", env=there)
    (built,) = document(done)["images"]
    assert before is not None and built["id"] == before.id
    for item in made.lock.built:
        assert sha256_of(tmp_path / "home" / item.folder / item.filename) == item.sha256
    assert not (tmp_path / "home" / "build" / "kit" / "extensions").exists()
    assert len(made.ground.site.log) == asked


def test_without_network_the_mirror_is_not_asked(made: Made, mirror: dict[str, bytes], engine: Engine) -> None:
    there = made.ground.other("offline", built=f"{made.ground.site.url}/files/built")
    unrecorded(there, "kit")
    asked = len(made.ground.site.log)
    with pytest.raises(InputError) as caught:
        compiled(there, "kit", engine, frozen=True, offline=True)
    assert caught.value.problem == "the compiled wheel of diff-gaussian-rasterization is not in the lock yet"
    assert len(made.ground.site.log) == asked


def test_a_mirror_that_cannot_be_reached_is_told_and_done_without(
    made: Made, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    there = made.ground.other("unreachable", built="https://localhost:1/built")
    unrecorded(there, "kit")
    with pytest.raises(InputError, match="is not in the lock yet"):
        compiled(there, "kit", engine, frozen=True)
    first = made.lock.built[0].project
    assert f"{first}: https://localhost:1/built cannot be reached" in capfd.readouterr().err


@pytest.mark.parametrize("lie", ["bytes", "project", "no record", "no JSON"])
def test_a_mirror_that_lies_is_refused(
    lie: str, made: Made, mirror: dict[str, bytes], engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    built = f"{made.ground.site.url}/files/built"
    with_login = built.replace("https://", "https://reader:opensesame@")
    there = made.ground.other(f"lie-{lie.replace(' ', '-')}", built=with_login)
    unrecorded(there, "kit")
    site, first, second = made.ground.site, *made.lock.built[:2]
    key, other = first.origin.place, second.origin.place
    record = f"built/{key}/{compiling.RECORD}"
    if lie == "bytes":
        site.faults[f"built/{key}/{first.filename}"] = "wrong"
    elif lie == "project":
        site.files[record] = mirror[f"built/{other}/{compiling.RECORD}"]
        site.files[f"built/{key}/{second.filename}"] = mirror[f"built/{other}/{second.filename}"]
    elif lie == "no record":
        del site.files[record]
    else:
        site.files[record] = b"[]"
    with pytest.raises(InputError) as caught:
        compiled(there, "kit", engine, frozen=True)
    assert caught.value.problem == f"the compiled wheel of {first.project} is not in the lock yet"
    said = capfd.readouterr().err
    assert f"{first.project}: {built} has no usable wheel" in said
    assert "opensesame" not in said
    assert {name for name in there.kept() if not name.endswith((".part", ".verified"))} == set()
    site.files.pop(f"built/{key}/{second.filename}", None)


@pytest.mark.parametrize(
    "wrong", [{"filename": 5}, {"size": "9"}, {"size": -1}, {"sha256": "0"}, {"filename": "a.zip"}]
)
def test_a_record_that_names_no_wheel_is_refused(wrong: dict[str, Any]) -> None:
    source = Artifact(
        kind="source",
        filename="a.tar",
        size=1,
        sha256="0" * 64,
        origin=Origin.parse("index:default"),
        project="a",
        version="1",
    )
    recipe = Recipe(project="a", source=source, root="/a", folder="/a", edits=(), extension=None, inputs={})
    right = {"filename": "a-1-py3-none-any.whl", "size": 9, "sha256": "0" * 64}
    assert compiling.artifact_of(right, recipe).origin == Origin.parse(f"built:{recipe.key}")
    with pytest.raises((TypeError, ValueError)):
        compiling.artifact_of({**right, **wrong}, recipe)


def test_max_jobs_is_obeyed_or_refused_and_never_ignored(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_JOBS", "3")
    assert compiling._jobs(engine) == "3"
    monkeypatch.setenv("MAX_JOBS", "")
    assert 1 <= int(compiling._jobs(engine)) <= engine.info.cores
    for wrong in ("0", "two", "-1", "4; true"):
        monkeypatch.setenv("MAX_JOBS", wrong)
        with pytest.raises(InputError, match="is no number of jobs"):
            compiling._jobs(engine)


def test_frozen_records_nothing(made: Made, engine: Engine) -> None:
    there = made.ground.other("frozen", compiled=True)
    before = unrecorded(there, "kit")
    with pytest.raises(InputError) as caught:
        compiled(there, "kit", engine, frozen=True)
    assert caught.value.problem == "compiled wheels would be recorded in the lock"
    assert caught.value.fix == "run `make build STACK=kit` without FROZEN=1, and commit stack.lock"
    assert read(there.folder("kit")) == before
    assert compiled(there, "kit", engine).built == made.lock.built
    assert there.logs("kit") == {}, "the cache served it"


def lone(made: Made, name: str, files: dict[str, str], **keys: Any) -> Ground:
    """Write and lock a stack of one extension, NAME, of these files; base and toolchain are those of `kit`."""
    here = made.ground
    source = here.repository(name, files) | {"into": f"/workspace/{name}", "edits": keys.pop("edits", [])}
    one = {"name": name, "path": source["into"], "compiled": [name], **keys}
    here.write(name, sources=[source], extensions=[one])
    stack = load_stack(name, here.settings)
    bare = replace(made.lock, wheels=(), extension_sources=(), built=(), indexes={})
    archive = sources.locked(source["git"], source["commit"], here.settings)
    store.write(here.folder(name), replace(bare, stack=name, inputs=inputs_digest(stack), sources=(archive,)))
    return here


def test_a_damaged_wheel_is_compiled_again(made: Made, engine: Engine) -> None:
    here = lone(made, "damaged", package("damaged", "damaged"))
    (item,) = compiled(here, "damaged", engine).built
    path, before = here.settings.home / item.folder / item.filename, here.logs("damaged")
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"?")
    assert compiled(here, "damaged", engine).built == (item,)
    assert path.read_bytes() == good
    assert here.logs("damaged") != before


def test_a_wiped_cache_is_made_anew_where_the_compiler_gives_the_same(
    made: Made, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_JOBS", "1")
    here = lone(made, "wiped", package("wiped", "wiped"))
    before = compiled(here, "wiped", engine)
    shutil.rmtree(here.settings.home / before.built[0].folder)
    monkeypatch.setenv("MAX_JOBS", "2")  # another argument of the build, so that the engine's cache does not serve it
    assert compiled(here, "wiped", engine) == before
    assert (here.settings.home / before.built[0].folder / before.built[0].filename).is_file()


def test_a_wheel_that_comes_out_otherwise_is_refused_with_what_to_do(
    made: Made, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As nvcc's output may: the lock stays, the other wheel is kept, and the locked one is taken where it is found."""
    monkeypatch.setenv("MAX_JOBS", "1")
    dice = "import os; os.environ['CPPFLAGS'] = f'-DANSWER={int.from_bytes(os.urandom(3), \"big\")}'"
    here = lone(made, "dice", package("dice", "dice", answer="", setup=dice))
    before = compiled(here, "dice", engine)
    (item,) = before.built
    key = item.origin.place
    kept = (here.settings.home / item.folder / item.filename).read_bytes()
    shutil.rmtree(here.settings.home / item.folder)
    monkeypatch.setenv("MAX_JOBS", "2")
    with pytest.raises(JobError) as caught:
        compiled(here, "dice", engine)
    error = caught.value
    assert error.problem == "dice as compiled here is not the wheel in the lock"
    assert f"{item.sha256} in the lock" in error.why
    assert "a bundle, or the setting `built`" in error.fix
    assert "remove the other's line under `built` in stack.lock" in error.fix
    assert read(here.folder("dice")) == before

    logs = here.logs("dice")
    with pytest.raises(JobError):
        compiled(here, "dice", engine)
    assert here.logs("dice") == logs, "what was compiled is kept, not compiled again each time"

    here.site.files[f"built/{key}/{item.filename}"] = kept
    mirrored = replace(here, settings=replace(here.settings, built=f"{here.site.url}/files/built"))
    assert compiled(mirrored, "dice", engine) == before
    path = here.settings.home / item.folder / item.filename
    assert path.read_bytes() == kept


def test_a_wheel_whose_line_is_removed_from_the_lock_gives_way_to_the_one_compiled_here(
    made: Made, engine: Engine
) -> None:
    here = lone(made, "giving", package("giving", "giving"))
    (item,) = compiled(here, "giving", engine).built
    lock, before = here.folder("giving") / "stack.lock", here.logs("giving")
    text = lock.read_text()
    lock.write_text(text.replace(item.sha256, "0" * 64))
    with pytest.raises(JobError):
        compiled(here, "giving", engine)
    lock.write_text("".join(line for line in lock.read_text().splitlines(keepends=True) if "built:" not in line))
    assert compiled(here, "giving", engine).built == (item,)
    assert (lock.read_text(), here.logs("giving")) == (text, before)


def test_the_locked_wheel_serves_where_a_record_speaks_of_another(made: Made, engine: Engine) -> None:
    """As after an import over a wheel that was compiled here."""
    here = lone(made, "imported", package("imported", "imported"))
    (item,) = compiled(here, "imported", engine).built
    record = here.settings.home / item.folder / compiling.RECORD
    record.write_text(json.dumps({**json.loads(record.read_text()), "sha256": "0" * 64}))
    before = here.logs("imported")
    assert compiled(here, "imported", engine, frozen=True).built == (item,)
    assert here.logs("imported") == before


ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "syntax": (
        {"code": "int broken() { return 1 }"},
        r"^ext\.cpp:\d+:\d+: error: expected ‘;’ before ‘}’ token",
    ),
    "header": (
        {"code": "#include <no_such_header.h>"},
        r"^ext\.cpp:\d+:10: fatal error: no_such_header\.h: No such file or directory",
    ),
    "library": ({"setup": "import os; os.environ['LDFLAGS'] = '-lnosuchlibrary'"}, r"cannot find -lnosuchlibrary"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_compile_error_shows_the_compilers_own_first_words(case: str, made: Made, engine: Engine) -> None:
    keys, words = ERRORS[case]
    name = f"wrong-{case}"
    here = lone(made, name, package(name, "wrong", **keys), compiled=["wrong"])
    before = here.kept()
    with pytest.raises(JobError) as caught:
        compiled(here, name, engine)
    error = caught.value
    assert error.problem == f"{name} does not compile"
    assert re.search(words, error.why), error.why
    assert error.where == str(here.settings.build / name / "extensions" / name / "build.log")
    assert Path(error.where).is_file()
    assert error.fix
    assert (here.kept(), read(here.folder(name)).built) == (before, ())


def test_a_missing_module_is_one_of_the_toolchain(made: Made, engine: Engine) -> None:
    here = lone(made, "needing", package("needing", "needing", setup="import torch.utils.cpp_extension"))
    with pytest.raises(JobError) as caught:
        compiled(here, "needing", engine)
    fix = "list what has torch under `packages` of the toolchain, which is all that a setup.py finds"
    assert (caught.value.why, caught.value.fix) == ("ModuleNotFoundError: No module named 'torch'", fix)


def test_a_known_failure_is_told_by_its_likely_cause(made: Made, engine: Engine) -> None:
    here = lone(made, "bare", package("bare", "bare"))
    store.write(here.folder("bare"), replace(read(here.folder("bare")), toolchain_debs=()))
    with pytest.raises(JobError) as caught:
        compiled(here, "bare", engine)
    assert "g++' failed: No such file or directory; likely cause: " in caught.value.why
    known = recognise_file(Path(caught.value.where)).matches[0]
    assert known.failure.id == "compiler-missing"
    assert (caught.value.why.rpartition("; likely cause: ")[2], caught.value.fix) == (known.cause, known.stack)


def test_a_compile_without_a_network(made: Made, engine: Engine) -> None:
    look = "print('interfaces', [name for _, name in socket.if_nameindex()])"
    setup = f"import socket; {look}; socket.create_connection(('192.0.2.1', 443), 3)"
    here = lone(made, "reaching", package("reaching", "reaching", setup=setup))
    with pytest.raises(JobError) as caught:
        compiled(here, "reaching", engine)
    assert "OSError: [Errno 101] Network is unreachable" in caught.value.why
    assert "interfaces ['lo']" in Path(caught.value.where).read_text()


REFUSAL = "import os\nif not os.path.exists('/dev/nvidia0'): raise NotImplementedError('no GPU')"


def test_a_refusal_to_build_without_a_gpu_is_cured_by_an_edit(made: Made, engine: Engine) -> None:
    files = package("refusing", "refusing", setup=REFUSAL)
    here = lone(made, "refusing", files)
    with pytest.raises(JobError) as caught:
        compiled(here, "refusing", engine)
    assert "NotImplementedError: no GPU" in caught.value.why
    edit = {"file": "setup.py", "old": "if not os.path.exists('/dev/nvidia0'):", "new": "if False:"}
    stack = json.loads((here.folder("refusing") / "stack.yaml").read_text())
    stack["sources"][0]["edits"] = [edit]
    (here.folder("refusing") / "stack.yaml").write_text(json.dumps(stack))
    lock = compiled(here, "refusing", engine)
    assert [item.project for item in lock.built] == ["refusing"]
    require_fresh(load_stack("refusing", here.settings), lock, here.folder("refusing"))


def test_what_an_index_has_no_wheel_of_is_compiled_and_no_longer_once_it_has(made: Made, engine: Engine) -> None:
    here, site = made.ground, made.ground.site
    own = here.repository("waiting", package("waiting", "waiting"))
    site.files["wheels.html"] = b"<!DOCTYPE html><html><body></body></html>"
    index = {"find-links": f"{site.url}/files/wheels.html", "packages": ["waiting"], "fallback": True}
    extension = own | {"name": "waiting", "compiled": ["waiting"]}
    here.write("waiting", packages=["waiting==1.0"], indexes={"own": index}, extensions=[extension])
    here.locked("waiting")
    lock = compiled(here, "waiting", engine)
    assert [item.project for item in lock.built] == ["waiting"]
    (item,) = lock.built
    site.files[item.filename] = (here.settings.home / item.folder / item.filename).read_bytes()
    page = f'<a href="{item.filename}#sha256={item.sha256}">{item.filename}</a>'
    site.files["wheels.html"] = f"<!DOCTYPE html><html><body>{page}</body></html>".encode()
    stack, folder = load_stack("waiting", here.settings), here.folder("waiting")
    lock = resolve.lock(stack, folder, here.settings, Ui(), upgrade=True).lock
    assert [(one.project, one.sha256) for one in lock.wheels] == [("waiting", item.sha256)]
    assert lock.extension_sources == ()
    fetch(lock.artifacts(), lock.indexes, here.settings, Ui())
    before = here.logs("waiting")
    lock = compiled(here, "waiting", engine)
    assert (lock.built, here.logs("waiting")) == ((), before), "nothing is compiled"
    image = build(stack, lock, here.settings, engine, Ui()).tag
    try:
        assert python(engine, image, "import waiting; print(waiting.answer())").stdout == "42\n"
    finally:
        remove_images(engine, "waiting")


def test_a_wheel_without_the_module_asked_for_is_refused(made: Made, engine: Engine) -> None:
    """As where a setup.py leaves its extension out for want of a GPU, and pip calls that success."""
    files = package("hollow", "hollow")
    files["setup.py"] = files["setup.py"].replace("ext_modules=[", "py_modules=['hollow'], ext_modules=[][:0] and [")
    here = lone(made, "hollow", files | {"hollow.py": ""})
    with pytest.raises(JobError) as caught:
        compiled(here, "hollow", engine)
    assert caught.value.problem == "the wheel of hollow lacks hollow"
    assert caught.value.why == "its shared objects: none"


def test_an_edited_source_that_stays_is_edited_in_the_image(made: Made, engine: Engine) -> None:
    files = package("stays", "stays", answer="1") | {"notes.txt": "old words\n"}
    edits = [
        {"file": "notes.txt", "old": "old", "new": "new"},
        {"file": "ext.cpp", "old": "ANSWER 1", "new": "ANSWER 2"},
    ]
    here = lone(made, "stays", files, edits=edits, install="editable")
    lock = compiled(here, "stays", engine)
    try:
        image = build(load_stack("stays", here.settings), lock, here.settings, engine, Ui()).tag
        code = "import stays; print(stays.answer(), stays.__file__, open('/workspace/stays/notes.txt').read())"
        assert python(engine, image, code).stdout.split() == ["2", f"/workspace/stays/stays{COMPILED}", "new", "words"]
    finally:
        remove_images(engine, "stays")


SLOW = "import os, time; time.sleep(60 if os.environ['MAX_JOBS'] == '7' else 3)"


@contextmanager
def building(here: Ground, name: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A run of `build` as a user starts it, in a session of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "builder", "build", name],
        cwd=REPO,
        env={**os.environ, **here.environment, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        yield child


def test_a_compile_that_is_interrupted_leaves_nothing_half_written(made: Made, engine: Engine) -> None:
    here = lone(made, "stopped", package("stopped", "stopped", setup=SLOW))
    before = here.kept()
    with building(here, "stopped", MAX_JOBS="7") as child:
        assert child.stderr is not None
        assert any("[compiled" in line for line in child.stderr), "the compiler's step began"
        os.killpg(child.pid, signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    top = here.settings.wheels / "built"
    assert here.kept() == before
    assert [path.name for path in top.iterdir() if path.name.startswith(".compiling-")] == []
    assert read(here.folder("stopped")).built == ()
    assert [item.project for item in compiled(here, "stopped", engine).built] == ["stopped"]


def test_two_stacks_at_once_compile_what_they_share_once(made: Made, engine: Engine) -> None:
    here = lone(made, "shared", package("shared", "shared", setup=SLOW))
    here.folder("shared2").mkdir()
    shutil.copy(here.folder("shared") / "stack.yaml", here.folder("shared2"))
    inputs = inputs_digest(load_stack("shared2", here.settings))
    store.write(here.folder("shared2"), replace(read(here.folder("shared")), stack="shared2", inputs=inputs))
    try:
        with building(here, "shared") as first, building(here, "shared") as same, building(here, "shared2") as other:
            said = [child.communicate(timeout=300)[1] for child in (first, same, other)]
        assert [child.returncode for child in (first, same, other)] == [0, 0, 0], said
        assert len(re.findall("compiling shared", "".join(said))) == 1
        assert sorted([*here.logs("shared"), *here.logs("shared2")]) == ["shared"]
        assert read(here.folder("shared")).built == read(here.folder("shared2")).built
    finally:
        remove_images(engine, "shared", "shared2")


@pytest.mark.heavy
def test_a_bundle_carries_the_compiled_wheels_and_the_other_site_compiles_nothing(
    made: Made, engine: Engine, tmp_path: Path
) -> None:
    bundle = tmp_path / "kit.bundle.tar"
    document(cli("--json", "export", "kit", "--out", str(bundle), env=made.ground.environment))
    there = {
        **made.ground.environment,
        "MODELSTACKS_HOME": str(tmp_path / "home"),
        "MODELSTACKS_STACKS": str(tmp_path / "stacks"),
    }
    (tmp_path / "stacks").mkdir()
    document(cli("--json", "import", str(bundle), env=there))
    before = engine.image(made.image)
    remove_images(engine, "kit")
    built = document(cli("--json", "build", "kit", env=there))["images"][0]
    assert before is not None and built["id"] == before.id
    assert not (tmp_path / "home" / "build" / "kit" / "extensions").exists()
    for item in made.lock.built:
        assert sha256_of(tmp_path / "home" / item.folder / item.filename) == item.sha256


@pytest.mark.heavy
def test_a_bundle_is_refused_where_a_compiled_wheel_is_not_there(made: Made, tmp_path: Path) -> None:
    there = made.ground.other("exporting")
    words = ("--json", "export", "kit", "--out", str(tmp_path / "kit.bundle.tar"))
    gone = document(cli(*words, env=there.environment), code=1)["errors"][0]
    assert gone["problem"].endswith(".whl is in the lock but not fetched")
    assert gone["fix"] == "run `make build STACK=kit`"
    unrecorded(there, "kit")
    waiting = document(cli(*words, env=there.environment), code=2)["errors"][0]
    assert waiting["problem"] == "6 packages of kit are not compiled yet"


@pytest.mark.heavy
def test_ccache_serves_what_did_not_change_and_nothing_compiled_with_other_flags(
    here: Ground, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "import atexit, os; atexit.register(os.system, 'grep -o Result.*cache.* /tmp/ccache.log; true')"
    files = package("cached", "cached", answer=str(secrets.randbits(30)), setup=said)
    source = here.repository("cached", files) | {"into": "/workspace"}
    family = {**yaml.safe_load(FAMILY), "toolchain": {**TOOLCHAIN, "system": ["g++", "python3-dev", "ccache"]}}

    def results(jobs: str, **flags: list[str]) -> set[str]:
        one = {"name": "cached", "path": "/workspace", "compiled": ["cached"], "flags": flags}
        one["env"] = {"CCACHE_LOGFILE": "/tmp/ccache.log"}
        here.write("cached", family, sources=[source], extensions=[one])
        here.locked("cached")
        unrecorded(here, "cached")
        monkeypatch.setenv("MAX_JOBS", jobs)  # the engine's cache shall not serve it, but ccache
        (item,) = compiled(here, "cached", engine).built
        shutil.rmtree(here.settings.home / item.folder)
        log = here.settings.build / "cached" / "extensions" / "cached" / "build.log"
        return set(re.findall(r"Result: (\w+)", log.read_text()))

    assert "cache_miss" in results("1")
    assert "direct_cache_hit" in results("2")
    assert "cache_miss" in results("3", nvcc=["--use_fast_math"]), "ccache 4.7 does not know nvcc's own variables"
