"""hadolint over every golden Dockerfile: each thing it finds is excused in hadolint.yaml with a reason, or a fault."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"


def findings(files: list[Path], folder: Path) -> list[dict[str, Any]]:
    """What hadolint says, with all its rules: neither a configuration of this machine nor a comment turns one off."""
    config = folder / "hadolint.yaml"
    config.write_text("ignored: []\n")
    words = [str(HADOLINT), "--config", str(config), "--disable-ignore-pragma", "--no-fail", "--format", "json"]
    done = subprocess.run([*words, *map(str, files)], capture_output=True, text=True, check=True)
    assert not done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def assert_parsed(files: list[Path], folder: Path) -> None:
    """Each file was read to its end: hadolint finds the one fault that a copy of it has on a line added there.

    hadolint wants an empty line after a heredoc, which BuildKit does not, and leaves the rest of a file unread.
    """
    copies = []
    for path in files:
        copies.append(folder / path.name)
        copies[-1].write_text(path.read_text() + "MAINTAINER nobody\n")
    read = {Path(one["file"]).name for one in findings(copies, folder) if one["code"] == "DL4000"}
    assert read == {path.name for path in files}, "not read to the end"


def instruction(finding: dict[str, Any]) -> str:
    """The instruction that a finding is of, from its first line to the last that it continues on."""
    kept: list[str] = []
    for line in Path(finding["file"]).read_text().splitlines()[finding["line"] - 1 :]:
        kept.append(line)
        if not line.endswith("\\"):
            break
    return "\n".join(kept)


def test_what_hadolint_finds_in_the_golden_files_is_excused(tmp_path: Path) -> None:
    excuses = yaml.safe_load((HERE / "hadolint.yaml").read_text())
    assert all(len(one["reason"].split()) > 5 for one in excuses), "an excuse needs a reason"
    files = sorted((HERE / "golden").glob("*.Dockerfile"))
    assert len(files) > 10
    assert_parsed(files, tmp_path)
    needed, faults = set(), []
    for finding in findings(files, tmp_path):
        text = instruction(finding)
        found = [n for n, one in enumerate(excuses) if one["rule"] == finding["code"] and one["instruction"] in text]
        needed.update(found)
        if not found:
            faults.append(f"{Path(finding['file']).name}:{finding['line']} {finding['code']} {finding['message']}")
    assert not faults
    assert needed == set(range(len(excuses))), "an excuse that nothing needs"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("DL3008", "RUN apt-get update && apt-get install -y --no-install-recommends curl"),
        ("DL3042", "RUN pip install numpy==1.26.4"),
        ("DL4006", "RUN cat /etc/os-release | grep VERSION"),
        ("SC2086", "RUN folder=$(mktemp -d) && rm -r $folder"),
    ],
)
def test_hadolint_finds_a_fault_even_where_a_comment_excuses_it(code: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(f"FROM modelstacks/base:debian-0123456789ab\n# hadolint ignore={code}\n{line}\n")
    (found,) = [one for one in findings([path], tmp_path) if one["code"] == code]
    assert instruction(found) == line


def test_a_file_that_hadolint_leaves_unread_is_told(tmp_path: Path) -> None:
    path = tmp_path / "in" / "Dockerfile"
    path.parent.mkdir()
    path.write_text("FROM modelstacks/base:x\nRUN <<END\ntrue\nEND\nRUN true\n")
    with pytest.raises((AssertionError, subprocess.CalledProcessError)):
        assert_parsed([path], tmp_path)
