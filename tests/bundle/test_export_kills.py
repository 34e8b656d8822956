"""Exports that are stopped at a named point inside, and what they then leave: never less than there was before."""

from __future__ import annotations

import signal
from pathlib import Path

from builder.bundle import export, import_
from builder.spec import Stacks
from builder.ui import Ui
from tests.bundle.conftest import Site, add_stack, wheel
from tests.conftest import cli
from tests.stopped import aside, at, code_of, stopped, tree

# Where an export of two parts stops: function, what it is called with, the how-manieth call; and what is there then.
POINTS = {
    "while a member is written": (("builder.bundle.pack:_one", "", 3), 0),
    "before all is renamed": (("builder.bundle.pack:_finish", "", 1), 0),
    "after the first part": (("pathlib:Path.replace", r"mini\.bundle\.tar\.001'\), ", 1), 1),
    "before the list": (("pathlib:Path.replace", r"mini\.bundle\.parts\.json'\), ", 1), 2),
    "after all": (("builder.bundle.pack:sync_folder", "", 1), 3),
}


def _environment(made: Site) -> dict[str, str]:
    for name in ("tmp", "user"):
        (made.root / name).mkdir(exist_ok=True)
    return {**made.environment, "TMPDIR": str(made.root / "tmp"), "HOME": str(made.root / "user")}


@at(POINTS, "while a member is written", "after the first part")
def test_an_export_that_is_stopped_loses_no_bundle_and_the_next_one_finishes(
    exporting: Site, there: Site, tmp_path: Path, point: str, number: int
) -> None:
    out = tmp_path / "dist" / "mini.bundle.tar"
    export(Stacks(exporting.settings).named(["mini"]), out, exporting.settings, Ui())
    earlier, home = out.read_bytes(), tree(exporting.home, exporting.stacks)
    size = len(earlier) // 2 + 1
    words = ["export", "mini", "--out", str(out), "--split", str(size), "--offline"]
    where, parts = POINTS[point]
    with stopped(where, words, tmp_path / "stop", env=_environment(exporting)) as run:
        assert len([*out.parent.glob("mini.bundle.tar.*"), *out.parent.glob("mini.bundle.parts.json")]) == parts
        assert parts == 3 or out.read_bytes() == earlier
        code, said = run.ended(number)
    assert code == code_of(number), said
    assert "Traceback" not in said
    whole = sorted(path.name for path in out.parent.iterdir() if not path.name.startswith("."))
    if number == signal.SIGKILL or not parts:
        assert parts == 3 or "mini.bundle.tar" in whole
    else:  # told to end between two renames: it ends after them
        assert whole == ["mini.bundle.parts.json", "mini.bundle.tar.000", "mini.bundle.tar.001"]
    if "mini.bundle.tar" in whole:
        assert out.read_bytes() == earlier
        import_(out, there.settings, Ui())
    again = cli(*words, env=_environment(exporting))
    assert again.returncode == 0, again.stderr
    assert sorted(path.name for path in out.parent.iterdir() if path.suffix != ".lock") == [
        "mini.bundle.parts.json", "mini.bundle.tar.000", "mini.bundle.tar.001",
    ]  # fmt: skip
    assert (
        out.with_name("mini.bundle.tar.000").read_bytes() + out.with_name("mini.bundle.tar.001").read_bytes() == earlier
    )
    import_(out.with_name("mini.bundle.parts.json"), there.settings, Ui())
    assert tree(exporting.home, exporting.stacks) == home
    assert not aside(exporting.home, exporting.stacks)
    assert not tree(exporting.root / "tmp", exporting.root / "user")


@at(["after the first part"], "after the first part")
def test_parts_that_take_the_names_of_parts_are_never_taken_for_whole(
    exporting: Site, tmp_path: Path, point: str, number: int
) -> None:
    out, words = tmp_path / "dist" / "mini.bundle.tar", ["export", "mini", "--offline", "--split", "100K"]
    words += ["--out", str(out)]
    assert cli(*words, env=_environment(exporting)).returncode == 0
    add_stack(exporting, "mini", {"alpha": wheel("alpha", "b" * 3000)})
    with stopped(POINTS[point][0], words, tmp_path / "stop", env=_environment(exporting)) as run:
        assert not out.with_name("mini.bundle.parts.json").exists()
        code, said = run.ended(number)
    assert code == code_of(number), said
    assert out.with_name("mini.bundle.parts.json").exists() == (number != signal.SIGKILL)
    assert cli(*words, env=_environment(exporting)).returncode == 0
    files = sorted(path.name for path in out.parent.iterdir())
    again = cli(*words[:-1], str(tmp_path / "other" / out.name), env=_environment(exporting))
    assert again.returncode == 0, again.stderr
    assert files == sorted(path.name for path in (tmp_path / "other").iterdir())
    assert [path.read_bytes() for path in sorted(out.parent.glob("*.0*"))] == [
        path.read_bytes() for path in sorted((tmp_path / "other").glob("*.0*"))
    ]
