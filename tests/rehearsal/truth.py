"""`make truth`: all that needs hours or real sources, in one go; what ran real, what stood in, what was left out.

Runs the long tests, writes what each file of them came to into docs/truth.json, and docs/truth.md from that. A file
that did not run keeps its row and its date. STACK=NAME,NAME: the rehearsals of these stacks alone.
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

DATA, PAGE = REPO / "docs" / "truth.json", REPO / "docs" / "truth.md"
_HEAD = """# What was run, and how real it was

Written by `make truth` from [truth.json](truth.json): the long tests, file by file, each as it came out when it last
ran. `real` and `stand-in` are of the git sources that a rehearsal takes; what else stands in, each file says at its
top. A row is as old as its date says.

| tests | of what | sources | result | minutes | date |
|---|---|---|---|---|---|
"""


def main(words: Iterable[str]) -> int:
    """Run what is asked for and write both files; gives pytest's exit code, 2 where a stack has no rehearsal."""
    names = [name for name in words if name != "--"]
    files = rehearsals()
    if unknown := [name for name in names if name not in files]:
        sys.stderr.write(f"error: no rehearsal of {', '.join(unknown)}\n  fix: STACK= some of {', '.join(files)}\n")
        return 2
    try:
        real = {files[name].name: told(name) for name in names or files}
    except InputError as error:
        sys.stderr.write(f"error: {error.problem}\n  fix: {error.fix}\n")
        return 2
    paths = [str(files[name]) for name in names] or [str(REPO / "tests")]
    code, report = run(paths)
    if report.is_file():
        record(rows(ET.parse(report).getroot(), real), DATA, PAGE)
        sys.stdout.write(f"written: {PAGE.relative_to(REPO)}\n")
    return code


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


def record(new: Mapping[str, Mapping[str, Any]], data: Path, page: Path) -> None:
    """Put rows into the data in the place of those of the same files, and write the page of all."""
    old = json.loads(data.read_text()) if data.is_file() else {}
    every = {path: row for path, row in sorted({**old, **new}.items()) if (REPO / path).is_file()}
    data.write_text(json.dumps(every, indent=1) + "\n")
    page.write_text(_HEAD + "".join(f"| {' | '.join(_cells(path, row))} |\n" for path, row in every.items()))


def _cells(path: str, row: Mapping[str, Any]) -> list[str]:
    what = (
        str(compile((REPO / path).read_text(), path, "exec").co_consts[0]).strip().split("\n\n")[0].replace("\n", " ")
    )
    result = [f"{row['passed']} passed"]
    result += [f"**failed: {', '.join(row['failed'])}**"] if row["failed"] else []
    result += [f"left out: {name} ({why})" for name, why in row["skipped"].items()]
    cells = [f"`{path}`", what, "; ".join(row["sources"]) or "-", "; ".join(result)]
    return [cell.replace("|", r"\|") for cell in [*cells, f"{row['seconds'] / 60:.1f}", row["date"]]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
