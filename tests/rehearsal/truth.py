"""`make truth`: all that needs hours or real sources, in one go; what ran real, what stood in, what was left out.

Runs the long tests, writes what each file of them came to into docs/truth.json, and from that docs/truth.md and the
README's table of the rehearsals. A file that did not run keeps its row and its date; one that never ran says so.
STACK=NAME,NAME: the rehearsals of these stacks alone, or files of tests, or reports (junit.xml) of runs that were made.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from builder.errors import InputError
from tests.conftest import REPO
from tests.rehearsal.__main__ import rehearsals, told

DATA, PAGE, README = REPO / "docs" / "truth.json", REPO / "docs" / "truth.md", REPO / "README.md"
_HEAD = """# What was run, and how real it was

Written by `make truth` from [truth.json](truth.json): the long tests, file by file, each as it came out when it last
ran. `real` and `stand-in` are of the git sources that a rehearsal takes; what else stands in, each file says at its
top. A row is as old as its date says.

| tests | of what | sources | result | minutes | date |
|---|---|---|---|---|---|
"""
SHOWN = ("<!-- written by make truth -->\n", "<!-- end -->\n")
_NEVER = {"passed": 0, "failed": [], "skipped": {}, "seconds": 0.0, "date": "-", "sources": []}
# Why a file was left out where the table was last written.
LEFT_OUT = {
    "tests/rehearsal/test_from_source.py": "mmcv-full by nvcc 11.8: 26 minutes of two cores that are free",
    "tests/rehearsal/test_talkinggaussian.py": "stopped in its second extension, after 16 minutes of the first",
}


def main(words: Iterable[str]) -> int:
    """Run what is asked for and write both files; gives pytest's exit code, 2 where a stack has no rehearsal."""
    asked = [name for name in words if name != "--"]
    files = rehearsals()
    names = [name for name in asked if not Path(name).is_file()]
    if unknown := [name for name in names if name not in files]:
        sys.stderr.write(f"error: no rehearsal of {', '.join(unknown)}\n  fix: STACK= some of {', '.join(files)}\n")
        return 2
    try:
        real = {path.name: told(name) for name, path in files.items()}
    except InputError as error:
        sys.stderr.write(f"error: {error.problem}\n  fix: {error.fix}\n")
        return 2
    reports = [Path(name) for name in asked if name.endswith(".xml")]
    paths = [str(files.get(name, name)) for name in asked if not name.endswith(".xml")]
    code = 0
    if paths or not asked:
        code, report = run(paths or [str(REPO / "tests")])
        reports.append(report)
    for report in filter(Path.is_file, reports):
        record(rows(ET.parse(report).getroot(), real), DATA, PAGE, every=long_files(), readme=README)
        sys.stdout.write(f"written: {PAGE.name} and {README.name}\n")
    return code


def long_files() -> list[str]:
    """Every file with long tests, by its path."""
    words = ["-q", "-m", "heavy", "-p", "no:cacheprovider", "--collect-only", str(REPO / "tests")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=REPO, check=True, capture_output=True, text=True
    )
    return sorted({line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line})


def run(paths: list[str]) -> tuple[int, Path]:
    """The long tests of these paths; pytest's exit code and its report."""
    report = REPO / "build" / "truth" / "junit.xml"
    report.unlink(missing_ok=True)
    words = ["-q", "-m", "heavy", "-p", "no:cacheprovider", f"--junitxml={report}", *paths]
    return subprocess.run([sys.executable, "-m", "pytest", *words], cwd=REPO, check=False).returncode, report


def rows(report: ET.Element, real: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """By path of a file of tests what came of it. real: what `told` says, by the name of the file."""
    found: dict[str, dict[str, Any]] = {}
    today = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    for case in report.iter("testcase"):
        path = f"{str(case.get('classname')).replace('.', '/')}.py"
        row = found.setdefault(path, {"passed": 0, "failed": [], "skipped": {}, "seconds": 0.0, "date": today})
        row["sources"] = real.get(Path(path).name, [])
        row["seconds"] = round(row["seconds"] + float(case.get("time") or 0), 1)
        if (skipped := case.find("skipped")) is not None:
            row["skipped"][str(case.get("name"))] = str(skipped.get("message"))
        elif case.find("failure") is not None or case.find("error") is not None:
            row["failed"].append(str(case.get("name")))
        else:
            row["passed"] += 1
    return found


def record(
    new: Mapping[str, Mapping[str, Any]],
    data: Path,
    page: Path,
    *,
    every: Iterable[str] = (),
    readme: Path | None = None,
) -> None:
    """Put rows into the data in the place of those of the same files, and write the page of all.

    every: the files that have a row on the page, run or not. readme: where the rehearsals among them are shown.
    """
    old = json.loads(data.read_text()) if data.is_file() else {}
    known = {path: row for path, row in sorted({**old, **new}.items()) if (REPO / path).is_file()}
    data.write_text(json.dumps(known, indent=1) + "\n")
    shown = {path: known.get(path, _NEVER) for path in sorted({*known, *every})}
    page.write_text(_HEAD + "".join(f"| {' | '.join(_cells(path, row))} |\n" for path, row in shown.items()))
    if readme:
        before, _, rest = readme.read_text().partition(SHOWN[0])
        readme.write_text(before + SHOWN[0] + summary(known) + SHOWN[1] + rest.partition(SHOWN[1])[2])


def summary(known: Mapping[str, Mapping[str, Any]]) -> str:
    """The README's table: each rehearsal as it last came out."""
    lines = ["| stack | last rehearsal | git sources | date |", "|---|---|---|---|"]
    for name, test in rehearsals().items():
        path = str(test.relative_to(REPO))
        row = known.get(path, _NEVER)
        real = sum(": real" in one for one in row["sources"])
        count = sum(" at " in one for one in row["sources"])
        sources = f"{real} of {count} real" if count else "none"
        result = _result(path, row).replace("|", r"\|")
        lines.append(f"| {name} | {result} | {sources if row['date'] != '-' else '-'} | {row['date']} |")
    return "\n".join(lines) + "\n"


def _result(path: str, row: Mapping[str, Any]) -> str:
    if row["date"] == "-":
        return f"not run: {LEFT_OUT.get(path, 'not yet by make truth')}"
    result = [f"{row['passed']} passed"]
    result += [f"**failed: {', '.join(row['failed'])}**"] if row["failed"] else []
    result += [f"left out: {name} ({why})" for name, why in row["skipped"].items()]
    return "; ".join(result)


def _cells(path: str, row: Mapping[str, Any]) -> list[str]:
    what = (
        str(compile((REPO / path).read_text(), path, "exec").co_consts[0]).strip().split("\n\n")[0].replace("\n", " ")
    )
    cells = [f"`{path}`", what, "; ".join(row["sources"]) or "-", _result(path, row)]
    return [cell.replace("|", r"\|") for cell in [*cells, f"{row['seconds'] / 60:.1f}", row["date"]]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
