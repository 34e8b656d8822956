"""The verb lock as a whole, with Debian's own archive: what is kept, what is told, and that a failure costs nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from builder import settings as site
from builder.errors import InputError, SurroundingsError
from builder.lock import StackLock, apt, read, verb
from builder.lock.resolve import Locked, lock
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import stack_folder
from builder.ui import Ui
from tests.conftest import REPO
from tests.lock.conftest import Index, MakeStack, wheel

Lock = Callable[..., Locked]


@pytest.fixture(scope="module")
def lists() -> Iterator[apt.Apt]:
    """Debian's real package lists, read once."""
    with apt.opened("debian", ("bookworm",), site.load()) as private:
        yield private


@pytest.fixture
def read_once(lists: apt.Apt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every lock of a test use the lists read once, to spare the archive; all else of apt is real."""

    @contextmanager
    def opened(*_: object) -> Iterator[apt.Apt]:
        lists.set_status("")
        yield lists

    monkeypatch.setattr(apt, "opened", opened)


@pytest.fixture
def run(settings: Settings) -> Lock:
    """Lock a stack beside its stack file."""

    def lock_it(stack: Stack, at: Settings = settings, *, upgrade: bool = False) -> Locked:
        return lock(stack, stack_folder(stack.name, settings), at, Ui(), upgrade=upgrade)

    return lock_it


def versions(lock: StackLock) -> dict[str, str]:
    return {item.project: item.version for item in lock.wheels}


@pytest.mark.usefixtures("read_once")
def test_a_lock_keeps_what_it_can_and_upgrade_takes_the_newest(index: Index, make_stack: MakeStack, run: Lock) -> None:
    index.add(wheel("alpha", "1.0", ["beta"]))
    index.add(wheel("beta", "1.0"))
    first = run(make_stack("alpha"))
    assert first.written
    assert ("alpha", "", "1.0") in first.changes and ("beta", "", "1.0") in first.changes
    assert not run(make_stack("alpha")).written
    for name in ("alpha", "beta", "gamma"):
        index.add(wheel(name, "2.0"))
    second = run(make_stack("alpha", "gamma"))
    assert versions(second.lock) == {"alpha": "1.0", "beta": "1.0", "gamma": "2.0"}
    assert second.changes == (("gamma", "", "2.0"),)
    third = run(make_stack("alpha", "gamma"), upgrade=True)
    assert third.changes == (("alpha", "1.0", "2.0"), ("beta", "1.0", ""))
    again = run(make_stack("alpha", "gamma"), upgrade=True)
    assert (again.written, again.changes, again.lock) == (False, (), third.lock)
    assert again.document()["digest"] == third.lock.digest


def test_a_failure_leaves_the_old_lock_as_it_was(
    index: Index, make_stack: MakeStack, run: Lock, settings: Settings
) -> None:
    index.add(wheel("alpha", "1.0"))
    folder = stack_folder(make_stack("alpha").name, settings)
    run(make_stack("alpha"))
    before = [(folder / name).read_bytes() for name in ("stack.lock", "pylock.toml")]
    with pytest.raises(InputError):
        run(make_stack("alpha==7"))
    deaf = "https://localhost:1"  # a port that nothing listens on
    with pytest.raises(SurroundingsError) as caught:
        run(make_stack("alpha<9"), replace(settings, index=f"{deaf}/simple/"))
    assert (caught.value.problem, caught.value.exit_code) == ("uv could not reach an index", 3)
    with pytest.raises(SurroundingsError) as caught:
        run(make_stack("alpha<9"), replace(settings, mirrors={"debian": f"{deaf}/debian"}))
    assert caught.value.problem == "the archive cannot be read"
    assert before == [(folder / name).read_bytes() for name in ("stack.lock", "pylock.toml")]
    assert sorted(path.name for path in folder.iterdir()) == ["pylock.toml", "stack.lock", "stack.yaml"]


@pytest.mark.usefixtures("read_once")
def test_a_damaged_lock_is_made_anew(index: Index, make_stack: MakeStack, run: Lock, settings: Settings) -> None:
    index.add(wheel("alpha", "1.0"))
    folder = stack_folder(make_stack("alpha").name, settings)
    good = run(make_stack("alpha")).lock
    (folder / "pylock.toml").write_text("edited = true\n")
    assert run(make_stack("alpha")).written
    assert read(folder).wheels == good.wheels


def test_two_runs_at_once_give_one_lock(
    index: Index, make_stack: MakeStack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(wheel("alpha", "1.0"))
    make_stack("alpha")
    monkeypatch.setenv("MODELSTACKS_INDEX", index.url())
    monkeypatch.setenv("MODELSTACKS_HOME", str(settings.home))
    monkeypatch.setenv("CA_BUNDLE", str(settings.ca_bundle[0]))
    command = [sys.executable, "-m", "builder", "--stacks", str(settings.stacks[0]), "lock", "one"]
    runs = [
        subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = ["".join(one.communicate(timeout=120)) for one in runs]
    assert [one.returncode for one in runs] == [0, 0], said
    assert sum("the lock is fresh" in text for text in said) == 1, said
    assert versions(read(settings.stacks[0] / "one")) == {"alpha": "1.0"}


def test_system_packages_are_those_the_base_lacks(index: Index, make_stack: MakeStack, run: Lock) -> None:
    index.add(wheel("alpha", "1.0"))
    made = run(make_stack("alpha", system=["libsndfile1", "python3-minimal"])).lock
    system = {item.project for item in made.debs}
    base = {item.project for item in made.base.debs}
    assert "libsndfile1" in system and "libflac12" in system
    assert {"libc6", "python3", "python3-minimal", "apt", "bash"} <= base
    assert not system & base
    for item in (*made.base.debs, *made.debs):
        assert item.kind == "deb" and item.filename.endswith(".deb") and item.size > 1000
        assert str(item.origin).startswith("archive:debian/pool/main/") and "//" not in str(item.origin)
        assert item.origin.path.rsplit("/", 1)[1].removesuffix(".deb").split("_")[0] == item.project
    assert made.base.epoch < made.epoch


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("name", ["", "a&b", "a%2fb/.."])
def test_a_weight_without_a_file_name_is_refused(index: Index, make_stack: MakeStack, run: Lock, name: str) -> None:
    index.add(wheel("alpha", "1.0"))
    url = f"https://example.org/{name}"
    with pytest.raises(InputError) as caught:
        run(make_stack("alpha", weights=[{"url": url, "sha256": "0" * 64, "into": "/weights", "name": "a"}]))
    assert (caught.value.problem, caught.value.where) == ("the address of a weight does not end in a file name", url)


def test_a_suite_that_the_archive_lacks_is_named(index: Index, make_stack: MakeStack, run: Lock) -> None:
    index.add(wheel("alpha", "1.0"))
    boot = {"distribution": "debian", "suites": ["nosuite"]}
    with pytest.raises(InputError) as caught:
        run(make_stack("alpha", family={"base": {"bootstrap": boot, "glibc": "2.36"}}))
    assert caught.value.problem == "suite nosuite is not in the archive"
    assert caught.value.fix == "correct `suites` of the base"


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize(
    ("keys", "problem", "fix"),
    [
        (
            {"system": ["no-such-package"]},
            "system package no-such-package is not in the archive",
            "correct the name, or add the suite that has it to the base",
        ),
        (
            {
                "family": {
                    "base": {
                        "bootstrap": {"distribution": "debian", "suites": ["bookworm"], "packages": ["python3"]},
                        "glibc": "2.37",
                    }
                }
            },
            "the family says glibc 2.37, its base has libc6 2.36-9+deb12u",
            'write glibc: "2.36" in the family',
        ),
        (
            {"family": {"python": "3.10"}},
            "the family says Python 3.10, its base has python3 3.11.2-1+b1",
            "add python3 to the base's packages or to `system`, or correct `python` and `interpreter`",
        ),
        (
            {"family": {"base": {"bootstrap": {"distribution": "debian", "suites": ["bookworm"]}, "glibc": "2.36"}}},
            "the family says Python 3.11, its base has python3 (none)",
            "add python3 to the base's packages or to `system`, or correct `python` and `interpreter`",
        ),
    ],
    ids=["package", "glibc", "python", "no-python"],
)
def test_a_base_that_is_not_what_the_stack_says_is_refused(
    index: Index, make_stack: MakeStack, run: Lock, keys: dict[str, object], problem: str, fix: str
) -> None:
    index.add(wheel("alpha", "1.0"))
    with pytest.raises(InputError) as caught:
        run(make_stack("alpha", **keys))
    assert caught.value.problem.startswith(problem)
    assert caught.value.fix == fix


@pytest.mark.usefixtures("read_once")
def test_a_later_build_of_what_is_locked_is_told_until_it_is_taken(
    index: Index, make_stack: MakeStack, run: Lock, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    index.add(wheel("alpha", "1.0"))
    index.add(wheel("beta", "1.0"))
    run(make_stack("alpha"))
    index.add(wheel("alpha", "1.0-3"))
    index.add(wheel("beta", "1.0-2"))
    stack = make_stack("alpha", "beta")
    (kept,) = [run(stack)]
    assert kept.rebuilt == (("alpha", "1.0", 3),), "of what is locked; beta is new, and its later build is taken"
    assert kept.changes == (("beta", "", "1.0 (build 2)"),)
    assert kept.document()["rebuilt"] == [{"name": "alpha", "version": "1.0", "build": 3}]
    verb.lock(make_stack("alpha"), settings, Ui())
    said = " ".join(capsys.readouterr().out.split())
    assert "UPGRADE=1 takes the later build" in said
    assert "alpha 1.0 build 3" in said
    taken = run(make_stack("alpha"), upgrade=True)
    assert (taken.rebuilt, taken.changes[0]) == ((), ("alpha", "1.0", "1.0 (build 3)"))
