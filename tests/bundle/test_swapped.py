"""What is changed between being verified and being read, and parts that are not those of their list."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builder.bundle import import_, sign, signing_key
from builder.bundle.archive import Reader
from builder.bundle.content import distinct, stack_items
from builder.bundle.parts import LIST, Sink, source
from builder.errors import InputError
from builder.spec import load
from builder.ui import Ui
from tests.bundle.conftest import Site, add_stack, site, wheel
from tests.bundle.test_hostile import Bundle
from tests.bundle.test_signature import _keys
from tests.conftest import REPO

# The command line as it is, which runs SWAP right before it opens PATH for the COUNT-th time: a point that is seen in
# the real code, not a wait.
CHILD = """
import os, runpy, sys
path, count, swap = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def seen(event, given):
    global count
    name = os.fspath(given[0]) if event == "open" and isinstance(given[0], (str, os.PathLike)) else ""
    if name.endswith(path) or path in os.path.dirname(name) + "/":
        count -= 1
        if count == 0:
            exec(swap)
            print("swapped", file=sys.stderr, flush=True)
sys.addaudithook(seen)
sys.argv[:] = ["modelstacks", *sys.argv[4:]]
runpy.run_module("builder", run_name="__main__")
"""


def run(place: Site, opened: str, count: int, swap: str, *words: str) -> tuple[int, str]:
    """A run during which the swap was done: shown by its word."""
    env = {**os.environ, **place.environment}
    command = [sys.executable, "-c", CHILD, opened, str(count), swap, *words]
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert "swapped" in done.stderr, done.stderr
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _keys(tmp_path_factory.mktemp("keys"), "own")


def _bytes(place: Site) -> bytes:
    """A whole bundle of the stack alone, without the program."""
    return Bundle(distinct(stack_items(load("mini", place.settings), place.settings)[0])).bytes()


def _written(data: bytes, folder: Path, split: int = 0) -> Path:
    """As a file, or in parts as `make export SPLIT=` writes them; gives the file or the folder of the parts."""
    folder.mkdir()
    sink = Sink(folder, "mini", split)
    sink.write(data)
    sink.close()
    return folder if split else folder / "mini.bundle.tar"


@pytest.fixture
def signed(here: Site, keys: tuple[Path, Path], tmp_path: Path) -> Path:
    made = _written(_bytes(here), tmp_path / "signed")
    sign(made, signing_key(keys[0]), None)
    return made


@pytest.fixture
def evil(here: Site) -> bytes:
    """A good bundle of the same name and other wheels, which nobody signed."""
    add_stack(here, "mini", {"alpha": wheel("alpha", "evil" * 50), "gamma": wheel("gamma", "g" * 200_000)})
    return _bytes(here)


REPLACED = "os.replace({other!r}, {bundle!r})"
IN_PLACE = "f = os.open({bundle!r}, os.O_WRONLY); os.pwrite(f, b'evil', {size} - 30_000); os.close(f)"
SHORTER = "os.truncate({bundle!r}, {size} // 2)"
LONGER = "f = os.open({bundle!r}, os.O_WRONLY | os.O_APPEND); os.write(f, b'evil'); os.close(f)"


@pytest.mark.parametrize(
    ("count", "swap"), [(2, REPLACED), (2, IN_PLACE), (2, SHORTER), (2, LONGER)],
    ids=["replaced", "in place", "shorter", "longer"],
)  # fmt: skip
def test_a_signed_bundle_changed_before_it_is_read_is_refused(
    count: int, swap: str, signed: Path, evil: bytes, keys: tuple[Path, Path], there: Site, tmp_path: Path
) -> None:
    other = _written(evil, tmp_path / "other")
    before = there.tree()
    words = {"bundle": str(signed), "other": str(other), "size": signed.stat().st_size}
    code, said = run(there, signed.name, count, swap.format(**words), "import", str(signed), "--key", str(keys[1]))
    assert code == 2 and "the bundle is not what was signed" in said and "fix:" in said, said
    assert there.tree() == before


@pytest.mark.parametrize("swap", [IN_PLACE, SHORTER, LONGER], ids=["in place", "shorter", "longer"])
def test_a_bundle_changed_while_it_is_read_is_refused(
    swap: str, signed: Path, keys: tuple[Path, Path], there: Site
) -> None:
    """At the first file that is staged: the bundle is open, and read in part."""
    before = there.tree()
    words = {"bundle": str(signed), "size": signed.stat().st_size}
    for more, says in ((("--key", str(keys[1])), "the bundle is not what was signed"), ((), "")):
        copy = signed.read_bytes()
        code, said = run(there, "/.import/", 1, swap.format(**words), "import", str(signed), *more)
        assert code == 2 and says in said and "fix:" in said and "Traceback" not in said, said
        assert there.tree() == before
        signed.write_bytes(copy)


def test_a_signed_list_replaced_by_another_is_refused(
    here: Site, keys: tuple[Path, Path], there: Site, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = _written(_bytes(here), tmp_path / "signed", 1 << 16)
    sign(folder / f"mini{LIST}", signing_key(keys[0]), None)
    other = _written(request.getfixturevalue("evil"), tmp_path / "other", 1 << 16)
    before = there.tree()
    swap = f"import shutil; shutil.copytree({str(other)!r}, {str(folder)!r}, dirs_exist_ok=True)"
    code, said = run(there, LIST, 2, swap, "import", str(folder), "--key", str(keys[1]))
    assert code == 2 and "the bundle is not what was signed" in said, said
    assert there.tree() == before


def test_a_bundle_replaced_by_the_same_bytes_is_imported(
    signed: Path, keys: tuple[Path, Path], there: Site, tmp_path: Path
) -> None:
    shutil.copy(signed, tmp_path / "same")
    swap = REPLACED.format(other=str(tmp_path / "same"), bundle=str(signed))
    code, said = run(there, signed.name, 2, swap, "import", str(signed), "--key", str(keys[1]))
    assert code == 0, said
    assert (there.stacks / "mini" / "stack.lock").is_file()


@pytest.mark.parametrize("what", ["alpha-1-py3-none-any.whl", "own-wheels/click-"])
def test_a_file_changed_before_it_is_exported_is_named(what: str, exporting: Site, tmp_path: Path) -> None:
    """The wheel of a lock is hashed as it is written; one of our own was hashed before, and is hashed again."""
    place = next(path for path in exporting.home.rglob("*.whl") if what in str(path))
    data = place.read_bytes()
    place.unlink()  # a link to the checkout's own
    place.write_bytes(data)
    swap = f"f = os.open({str(place)!r}, os.O_WRONLY); os.pwrite(f, b'evil', 50); os.close(f)"
    count = 1 if what.startswith("alpha") else 3
    code, said = run(exporting, place.name, count, swap, "export", "mini", "--out", str(tmp_path / "x.bundle.tar"))
    assert code == 1 and "is not what it should be" in said and "Traceback" not in said, said
    assert not list(tmp_path.glob("x.bundle*"))


@pytest.fixture
def parts(here: Site, tmp_path: Path) -> Path:
    return _written(_bytes(here), tmp_path / "parts", 1 << 16)


def _rows(folder: Path, change: Callable[[list[Any]], object]) -> None:
    path = folder / f"mini{LIST}"
    value = json.loads(path.read_text())
    change(value["parts"])
    path.write_text(json.dumps(value))


def _swap(folder: Path, one: int, two: int) -> None:
    first, second = (folder / f"mini.bundle.tar.{number:03}" for number in (one, two))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def _fifo(folder: Path) -> None:
    (folder / "mini.bundle.tar.001").unlink()
    os.mkfifo(folder / "mini.bundle.tar.001")


def _trailing(folder: Path) -> None:
    last = sorted(folder.glob("*.tar.*"))[-1]
    last.write_bytes(last.read_bytes() + b"evil")


def _whole_again(folder: Path) -> None:
    """One more part, listed by its true sha256, that holds an archive of its own."""
    data = bytes(1 << 16)
    number = len(list(folder.glob("*.tar.*")))
    name = f"mini.bundle.tar.{number:03}"
    (folder / name).write_bytes(data)
    row = {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    _rows(folder, lambda rows: rows.append(row))


PARTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "two that change places": (lambda at: _swap(at, 0, 1), "the part mini.bundle.tar.000 is damaged"),
    "one twice": (
        lambda at: shutil.copy(at / "mini.bundle.tar.000", at / "mini.bundle.tar.001"), "the part mini.bundle.tar.001"
    ),
    "a fifo": (_fifo, "the part mini.bundle.tar.001 is missing"),
    "bytes behind the last": (_trailing, r"the part mini.bundle.tar.\d+ is damaged"),
    "one more than the archive": (_whole_again, "goes on after its end mark"),
    "a list with rows that change places": (
        lambda at: _rows(at, lambda rows: rows.reverse()), "the list of parts is damaged"
    ),
    "a list with a row twice": (
        lambda at: _rows(at, lambda rows: rows.insert(0, rows[0])), "the list of parts is damaged"
    ),
    "a list without its last row": (lambda at: _rows(at, lambda rows: rows.pop()), "ends"),
    "a list of none": (lambda at: _rows(at, lambda rows: rows.clear()), "the list of parts is damaged"),
    "a list of 1001": (lambda at: _rows(at, lambda rows: rows.extend(rows * 1001)), "the list of parts is damaged"),
    "a sha256 that is none": (
        lambda at: _rows(at, lambda rows: rows[0].update(sha256=7)), "the part mini.bundle.tar.000 is damaged"
    ),
    "a size that is no number": (
        lambda at: _rows(at, lambda rows: rows[0].update(size="1")), "the list of parts is damaged"
    ),
    "a size that is true": (
        lambda at: _rows(at, lambda rows: rows[0].update(size=True)), "the list of parts is damaged"
    ),
    "an absolute name": (
        lambda at: _rows(at, lambda rows: rows[0].update(name="/etc/passwd")), "the list of parts is damaged"
    ),
    "a row that is no table": (lambda at: _rows(at, lambda rows: rows.append(["x"])), "the list of parts is damaged"),
    "a list that is too long": (
        lambda at: (at / f"mini{LIST}").write_bytes(b" " * (2 << 20)), "the list of parts is damaged"
    ),
    "a list that is nested": (
        lambda at: (at / f"mini{LIST}").write_bytes(b"[" * 100_000), "the list of parts is damaged"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PARTS)
def test_parts_that_are_not_those_of_the_list_are_refused(case: str, parts: Path, there: Site) -> None:
    change, said = PARTS[case]
    change(parts)
    before = there.tree()
    with pytest.raises(InputError, match=said):
        import_(parts, there.settings, Ui())
    assert there.tree() == before


def test_a_part_of_another_bundle_of_the_same_name_is_refused(
    parts: Path, evil: bytes, there: Site, tmp_path: Path
) -> None:
    other = _written(evil, tmp_path / "other", 1 << 16)
    first = "mini.bundle.tar.000"
    assert (other / first).stat().st_size == (parts / first).stat().st_size
    shutil.copy(other / first, parts / first)
    before = there.tree()
    with pytest.raises(InputError, match=f"the part {first} is damaged"):
        import_(parts, there.settings, Ui())
    assert there.tree() == before


def test_two_archives_one_after_the_other_are_not_one(parts: Path, there: Site, tmp_path: Path) -> None:
    stream = source(parts)
    data = b"".join(path.read_bytes() for path in sorted(parts.glob("*.tar.*")))
    assert Reader(stream, "x").manifest().stacks == ("mini",)
    stream.close()
    (tmp_path / "twice.bundle.tar").write_bytes(data + data)
    before = there.tree()
    with pytest.raises(InputError, match="goes on after its end mark"):
        import_(tmp_path / "twice.bundle.tar", there.settings, Ui())
    assert there.tree() == before
    (tmp_path / "once.bundle.tar").write_bytes(data)
    assert import_(tmp_path / "once.bundle.tar", there.settings, Ui()).stacks == ("mini",)


def test_the_parts_that_all_cases_start_from_are_good(parts: Path, tmp_path: Path) -> None:
    assert import_(parts, site(tmp_path / "good").settings, Ui()).stacks == ("mini",)
