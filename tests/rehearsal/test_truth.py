"""`make truth` and `make rehearsal` as they are called, and what becomes of a run of long tests."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.rehearsal import sources, truth
from tests.rehearsal.__main__ import rehearsals, told

_LONG = """import pytest

pytestmark = pytest.mark.heavy


def test_good():
    pass


def test_bad():
    assert False


@pytest.mark.skip(reason="no | here")
def test_not_here():
    pass
"""


@pytest.mark.parametrize("target", ["rehearsal", "truth"])
def test_make_hands_over_the_names_of_stacks(target: str) -> None:
    done = subprocess.run(
        ["make", target, "STACK=nosuch"], cwd=REPO, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2
    assert "error: no rehearsal of nosuch\n  fix: STACK= " in done.stderr
    assert "talkinggaussian-modern" in done.stderr


def test_each_rehearsal_says_how_real_its_sources_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(sources.SOURCES, str(tmp_path))
    (tmp_path / "github.com" / "Fictionarry" / "TalkingGaussian.git").mkdir(parents=True)
    lines = told("talkinggaussian")
    assert [line.rpartition(": ")[2].partition(" (")[0] for line in lines] == ["real", "a stand-in"]
    assert told("heygem") == ["it has no git source"]
    assert set(rehearsals()) >= {"heygem", "liveportrait", "talkinggaussian", "talkinggaussian-modern"}


def test_a_run_becomes_rows_and_what_did_not_run_keeps_its_own(tmp_path: Path) -> None:
    test, report = tmp_path / "test_long.py", tmp_path / "junit.xml"
    test.write_text(_LONG)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = heavy\n")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", str(test)]
    assert subprocess.run(words, cwd=tmp_path, check=False, capture_output=True).returncode == 1
    found = truth.rows(ET.parse(report).getroot(), {"test_long.py": ["https://example.org/a at 12345678: real"]})
    (row,) = found.values()
    assert (row["passed"], row["failed"], row["skipped"]) == (1, ["test_bad"], {"test_not_here": "no | here"})
    data, page, readme = tmp_path / "truth.json", tmp_path / "truth.md", tmp_path / "README.md"
    mine, other = "tests/rehearsal/test_truth.py", "tests/rehearsal/test_heygem.py"
    never = "tests/rehearsal/test_from_source.py"
    data.write_text(json.dumps({other: {**row, "failed": [], "date": "2020-01-01"}, "tests/test_gone.py": row}))
    readme.write_text(f"before\n{truth.SHOWN[0]}old\n{truth.SHOWN[1]}after\n")
    truth.record({mine: row}, data, page, every=[never], readme=readme)
    assert list(json.loads(data.read_text())) == [other, mine]
    lines = page.read_text().splitlines()
    assert "at 12345678: real" in lines[-1]
    assert r"1 passed; **failed: test_bad**; left out: test_not_here (no \| here)" in lines[-1]
    assert lines[-2].endswith("| 2020-01-01 |")
    assert lines[-3].startswith(f"| `{never}` |")
    assert "| not run: mmcv-full by nvcc 11.8" in lines[-3]
    shown = readme.read_text().splitlines()
    assert (shown[0], shown[-1]) == ("before", "after")
    assert "| heygem | 1 passed; left out: test_not_here (no \\| here) | 1 of 1 real | 2020-01-01 |" in shown
    assert any(line.startswith("| talkinggaussian | not run: ") for line in shown)


def test_the_readme_shows_what_was_recorded_last() -> None:
    text = truth.README.read_text()
    table = text.partition(truth.SHOWN[0])[2].partition(truth.SHOWN[1])[0]
    assert table == truth.summary(json.loads(truth.DATA.read_text())), "make truth writes it"


def test_a_report_of_a_run_that_was_made_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "junit.xml"
    case = '<testcase classname="tests.rehearsal.test_heygem" name="test_one" time="90"/>'
    report.write_text(f"<testsuites><testsuite>{case}</testsuite></testsuites>")
    for name, path in (("DATA", "truth.json"), ("PAGE", "truth.md"), ("README", "README.md")):
        monkeypatch.setattr(truth, name, tmp_path / path)
    monkeypatch.setattr(truth, "long_files", list)
    truth.README.write_text("".join(truth.SHOWN))
    assert truth.main([str(report)]) == 0
    assert json.loads(truth.DATA.read_text())["tests/rehearsal/test_heygem.py"]["seconds"] == 90
    assert "| heygem | 1 passed | none | " in truth.README.read_text()
