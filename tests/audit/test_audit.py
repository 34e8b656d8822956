"""`audit` as a user runs it, from files of advisories: what it says, ends with, and refuses to guess."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.audit.conftest import ALPHA, BETA, accepting, advisory, written
from tests.bundle.conftest import Site
from tests.conftest import cli, document

WHY = "it is never given files of others"


def audited(made: Site, path: Path, *, code: int) -> dict[str, Any]:
    done = cli("--json", "audit", "mini", "--advisories", str(path), env=made.environment)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_is_known_is_told_and_ends_with_1(here: Site, tmp_path: Path) -> None:
    path = written(tmp_path / "known", advisory("alpha", ALPHA, "CVE-2026-1"), advisory("alpha", BETA, "CVE-2026-1"))
    (row,) = audited(here, path, code=1)["stacks"]["mini"]["vulnerable"]
    assert row == {
        "package": "alpha",
        "version": "1",
        "use": "image",
        "id": "CVE-2026-1",
        "aliases": [BETA, ALPHA],
        "summary": "alpha opens what it should not",
        "fixed": ["2"],
        "accepted": "",
    }
    said = cli("audit", "mini", "--advisories", str(path), env=here.environment)
    assert "2 advisories, the newest of 2026-11-01" in said.stderr
    assert "known vulnerabilities: 1 in mini" in said.stderr
    assert "CVE-2026-1" in said.stdout


def test_nothing_known_is_0(here: Site, tmp_path: Path) -> None:
    path = written(tmp_path / "known", advisory("alpha", ALPHA, fixed="1"), advisory("gamma", BETA))
    found = audited(here, path, code=0)["stacks"]["mini"]
    assert (found["packages"], found["vulnerable"], found["unasked"]) == (3, [], [])


def test_what_only_builds_is_told_apart(here: Site, tmp_path: Path) -> None:
    (row,) = audited(here, written(tmp_path / "known", advisory("uv", ALPHA)), code=1)["stacks"]["mini"]["vulnerable"]
    assert (row["package"], row["use"]) == ("uv", "build")


def test_an_accepted_one_is_0_by_any_of_its_names_and_stays_visible(here: Site, tmp_path: Path) -> None:
    path = written(tmp_path / "known", advisory("alpha", ALPHA, "CVE-2026-1"), advisory("beta", BETA))
    accepting(here, CVE_2026_1=WHY)
    found = audited(here, path, code=1)["stacks"]["mini"]
    assert [(row["package"], row["accepted"]) for row in found["vulnerable"]] == [("alpha", WHY), ("beta", "")]
    accepting(here, CVE_2026_1=WHY, PYSEC_2026_2=WHY)
    said = cli("audit", "mini", "--advisories", str(path), env=here.environment)
    assert (said.returncode, said.stdout.count(f"accepted: {WHY}")) == (0, 2)


def test_an_acceptance_that_nothing_matches_is_told(here: Site, tmp_path: Path) -> None:
    accepting(here, CVE_2020_9=WHY)
    path = written(tmp_path / "known", advisory("gamma", BETA))
    assert audited(here, path, code=0)["stacks"]["mini"]["idle"] == ["CVE-2020-9"]
    said = cli("audit", "mini", "--advisories", str(path), env=here.environment)
    assert "`accept-advisories` names CVE-2020-9, and no locked package has it" in said.stderr


@pytest.mark.parametrize("form", ["file", "list", "answer", "zip"])
def test_advisories_come_as_they_are_downloaded(form: str, here: Site, tmp_path: Path) -> None:
    rows, path = [advisory("alpha", ALPHA), advisory("beta", BETA)], tmp_path / f"known.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("README.md", "not an advisory")
            archive.writestr("npm.json", json.dumps({"id": "GHSA-0000-0000-0000"}))
            for row in rows:
                archive.writestr(f"{row['id']}.json", json.dumps(row))
    else:
        path.write_text(json.dumps({"file": rows[0], "list": rows, "answer": {"vulns": rows}}[form]))
    found = audited(here, path, code=1)["stacks"]["mini"]["vulnerable"]
    assert [row["package"] for row in found] == ["alpha", "beta"][: 1 if form == "file" else 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no advisory of a Python package"),
        ("[]", "no advisory of a Python package"),
        ('{"ecosystem": "PyPI"', "no advisory of the OSV schema"),
        ('{"PyPI": 1}', "no advisory of the OSV schema"),
        ('["PyPI"]', "no advisory of the OSV schema"),
        ('{"vulns": 3, "x": "PyPI"}', "no advisory of the OSV schema"),
        ('{"id": "X-1", "affected": [{"package": {"ecosystem": "PyPI"}}]}', "no advisory of the OSV schema"),
        ("[" * 100_000 + '"PyPI"', "no advisory of the OSV schema"),
        (json.dumps(advisory("alpha", ALPHA, schema_version="2.0.0")), "version 2.0.0 of the OSV schema"),
    ],
)
def test_what_is_none_is_refused_and_never_taken_for_nothing_known(
    text: str, said: str, here: Site, tmp_path: Path
) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    (error,) = audited(here, path, code=2)["errors"]
    assert said in error["problem"]
    assert str(path) in error["where"]


def test_a_damaged_archive_is_refused(here: Site, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.json", json.dumps(advisory("alpha", ALPHA)))
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    assert "damaged" in audited(here, path, code=2)["errors"][0]["problem"]


def test_offline_without_advisories_is_3(here: Site) -> None:
    (error,) = document(cli("--json", "audit", "mini", "--offline", env=here.environment), code=3)["errors"]
    assert "--advisories FILE" in error["fix"]


def test_a_stale_lock_is_told_and_hides_nothing(here: Site, tmp_path: Path) -> None:
    folder = here.stacks / "other"
    folder.mkdir()
    (folder / "stack.yaml").write_text((here.stacks / "mini" / "stack.yaml").read_text())
    path = written(tmp_path / "known", advisory("beta", BETA))
    words = ["--json", "audit", "mini", "other", "--advisories", str(path)]
    found = document(cli(*words, env=here.environment), code=1)
    assert [error["problem"] for error in found["errors"]] == ["other is not locked"]
    assert [row["id"] for row in found["stacks"]["mini"]["vulnerable"]] == [BETA]
    (here.stacks / "mini" / "stack.yaml").write_text(
        (here.stacks / "mini" / "stack.yaml").read_text() + "system: [ffmpeg]\n"
    )
    assert "stale" in document(cli(*words, env=here.environment), code=2)["errors"][0]["problem"]


def test_words_of_an_advisory_steer_no_terminal(here: Site, tmp_path: Path) -> None:
    path = written(tmp_path / "known", advisory("alpha", ALPHA, summary="\x1b[2Jgone [red]x[/red]\u202e"))
    said = cli("audit", "mini", "--advisories", str(path), env=here.environment).stdout
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "[red]x[/red]" in said
